/* RFC 3339 times, in the proleptic Gregorian calendar, without the C library's time zones. */
#include "type/json.h"

#include <inttypes.h>
#include <stdio.h>

static const int64_t first_ms = INT64_C(-62135596800000); /* 0001-01-01T00:00:00.000Z */
static const int64_t last_ms = INT64_C(253402300799999);  /* 9999-12-31T23:59:59.999Z */
static const int64_t day_ms = 86400000;

/* Counting years from March puts the leap day at their end. `days` since 1970-01-01 is that of a year from 1 on. */
static void put_date(int64_t days, int *year, int *month, int *day)
{
    int64_t since = days + 719468; /* since 0000-03-01 */
    int64_t era = since / 146097;
    int64_t in_era = since % 146097;
    int64_t years = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * years + years / 4 - years / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    *day = (int)(in_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int)(years + era * 400 + (*month <= 2));
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t years = year % 400;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + years * 365 + years / 4 - years / 100 + in_year - 719468;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

size_t docket__json_put_time(int64_t time_ms, char text[DOCKET__JSON_NUMBER])
{
    if (time_ms < first_ms || time_ms > last_ms) {
        return (size_t)snprintf(text, DOCKET__JSON_NUMBER, "%" PRId64, time_ms);
    }
    int year = 0;
    int month = 0;
    int day = 0;
    int64_t since_first = time_ms - first_ms;
    int in_day = (int)(since_first % day_ms);
    put_date((time_ms - in_day) / day_ms, &year, &month, &day);
    return (size_t)snprintf(text, DOCKET__JSON_NUMBER, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                            in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000);
}

/* Reads `count` digits and what must follow them (NUL = anything); -1 = something else. */
static int read_digits(const char **next, const char *end, int count, char mark)
{
    int number = 0;
    for (int i = 0; i < count; i++, ++*next) {
        if (*next == end || **next < '0' || **next > '9') {
            return -1;
        }
        number = number * 10 + (**next - '0');
    }
    if (mark != '\0') {
        if (*next == end || **next != mark) {
            return -1;
        }
        ++*next;
    }
    return number;
}

static bool read_date(const char **next, const char *end, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = read_digits(next, end, 4, '-');
    int month = year < 0 ? -1 : read_digits(next, end, 2, '-');
    int day = month < 0 ? -1 : read_digits(next, end, 2, 'T');
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && is_leap(year))) {
        return false;
    }
    *days = days_of(year, month, day);
    return true;
}

static bool read_clock(const char **next, const char *end, int64_t *in_day_ms)
{
    int hour = read_digits(next, end, 2, ':');
    int minute = hour < 0 ? -1 : read_digits(next, end, 2, ':');
    int second = minute < 0 ? -1 : read_digits(next, end, 2, '\0');
    if (second < 0 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *in_day_ms = ((int64_t)hour * 60 + minute) * 60000 + (int64_t)second * 1000;
    if (*next == end || **next != '.') {
        return true;
    }
    int weight = 100;
    int count = 0;
    for (++*next; *next < end && **next >= '0' && **next <= '9'; ++*next, weight /= 10, count++) {
        if (weight == 0 && **next != '0') {
            return false;
        }
        *in_day_ms += (int64_t)(**next - '0') * weight;
    }
    return count >= 1 && count <= 9;
}

static bool read_offset(const char **next, const char *end, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (*next == end) {
        return false;
    }
    char sign = *(*next)++;
    if (sign == 'Z') {
        return true;
    }
    int hours = sign == '+' || sign == '-' ? read_digits(next, end, 2, ':') : -1;
    int minutes = hours < 0 ? -1 : read_digits(next, end, 2, '\0');
    if (minutes < 0 || hours > 23 || minutes > 59) {
        return false;
    }
    *offset_ms = ((int64_t)hours * 60 + minutes) * 60000 * (sign == '+' ? 1 : -1);
    return true;
}

bool docket__json_get_time(const char *text, size_t size, int64_t *time_ms)
{
    const char *next = text;
    const char *end = text + size;
    int64_t days = 0;
    int64_t in_day_ms = 0;
    int64_t offset_ms = 0;
    if (!read_date(&next, end, &days) || !read_clock(&next, end, &in_day_ms) ||
        !read_offset(&next, end, &offset_ms) || next != end) {
        return false;
    }
    *time_ms = days * day_ms + in_day_ms - offset_ms;
    return *time_ms >= first_ms && *time_ms <= last_ms;
}
