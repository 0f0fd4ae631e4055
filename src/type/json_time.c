/* RFC 3339 times, in the proleptic Gregorian calendar, without the C library's time zones. */
#include "type/json.h"

#include <inttypes.h>
#include <stdio.h>

static const int64_t first_second = INT64_C(-62135596800);    /* 0001-01-01T00:00:00Z */
static const int64_t last_second = INT64_C(253402300799);     /* 9999-12-31T23:59:59Z */
static const int64_t longest_seconds = INT64_C(315576000000); /* 10000 years */
static const int64_t day_seconds = 86400;
static const int32_t second_nanos = 1000000000;
static const int32_t millisecond_nanos = 1000000;

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

/* Milliseconds, or as many digits as the time needs: nothing, or 3, 6 or 9. */
static int digits_of(int32_t nanos)
{
    return nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
}

/* A point and so many digits of a second. */
static size_t put_fraction(int32_t nanos, int digits, char *text, size_t room)
{
    for (int left = 9 - digits; left > 0; left--) {
        nanos /= 10;
    }
    return digits > 0 ? (size_t)snprintf(text, room, ".%0*d", digits, (int)nanos) : 0;
}

static size_t put_moment(docket__json_moment moment, int digits, char text[DOCKET__JSON_NUMBER])
{
    int year = 0;
    int month = 0;
    int day = 0;
    int in_day = (int)((moment.seconds - first_second) % day_seconds);
    put_date((moment.seconds - in_day) / day_seconds, &year, &month, &day);
    size_t length = (size_t)snprintf(text, DOCKET__JSON_NUMBER, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                                     in_day / 3600, in_day / 60 % 60, in_day % 60);
    length += put_fraction(moment.nanos, digits, text + length, DOCKET__JSON_NUMBER - length);
    text[length] = 'Z';
    text[length + 1] = '\0';
    return length + 1;
}

size_t docket__json_put_time(int64_t time_ms, char text[DOCKET__JSON_NUMBER])
{
    if (time_ms < first_second * 1000 || time_ms > last_second * 1000 + 999) {
        return (size_t)snprintf(text, DOCKET__JSON_NUMBER, "%" PRId64, time_ms);
    }
    int64_t in_second = (time_ms % 1000 + 1000) % 1000;
    docket__json_moment moment = {(time_ms - in_second) / 1000, (int32_t)in_second * millisecond_nanos};
    return put_moment(moment, 3, text);
}

bool docket__json_put_timestamp(docket__json_moment moment, char text[DOCKET__JSON_NUMBER])
{
    if (moment.seconds < first_second || moment.seconds > last_second || moment.nanos < 0 ||
        moment.nanos >= second_nanos) {
        return false;
    }
    put_moment(moment, digits_of(moment.nanos), text);
    return true;
}

bool docket__json_put_duration(docket__json_moment moment, char text[DOCKET__JSON_NUMBER])
{
    bool is_negative = moment.seconds < 0 || moment.nanos < 0;
    bool is_mixed = is_negative && (moment.seconds > 0 || moment.nanos > 0);
    if (is_mixed || moment.seconds < -longest_seconds || moment.seconds > longest_seconds ||
        moment.nanos <= -second_nanos || moment.nanos >= second_nanos) {
        return false;
    }
    int64_t seconds = is_negative ? -moment.seconds : moment.seconds;
    int32_t nanos = is_negative ? -moment.nanos : moment.nanos;
    size_t length = (size_t)snprintf(text, DOCKET__JSON_NUMBER, "%s%" PRId64, is_negative ? "-" : "", seconds);
    length += put_fraction(nanos, digits_of(nanos), text + length, DOCKET__JSON_NUMBER - length);
    text[length] = 's';
    text[length + 1] = '\0';
    return true;
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

/* A point and 1 to 9 digits; nothing of this is 0. */
static bool read_fraction(const char **next, const char *end, int32_t *nanos)
{
    *nanos = 0;
    if (*next == end || **next != '.') {
        return true;
    }
    int count = 0;
    for (++*next; *next < end && **next >= '0' && **next <= '9' && count < 9; ++*next, count++) {
        *nanos = *nanos * 10 + (**next - '0');
    }
    for (int missing = 9 - count; missing > 0; missing--) {
        *nanos *= 10;
    }
    return count >= 1;
}

static bool read_clock(const char **next, const char *end, int64_t *in_day)
{
    int hour = read_digits(next, end, 2, ':');
    int minute = hour < 0 ? -1 : read_digits(next, end, 2, ':');
    int second = minute < 0 ? -1 : read_digits(next, end, 2, '\0');
    if (second < 0 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *in_day = ((int64_t)hour * 60 + minute) * 60 + second;
    return true;
}

static bool read_offset(const char **next, const char *end, int64_t *offset)
{
    *offset = 0;
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
    *offset = ((int64_t)hours * 60 + minutes) * 60 * (sign == '+' ? 1 : -1);
    return true;
}

bool docket__json_get_timestamp(const char *text, size_t size, docket__json_moment *moment)
{
    const char *next = text;
    const char *end = text + size;
    int64_t days = 0;
    int64_t in_day = 0;
    int64_t offset = 0;
    if (!read_date(&next, end, &days) || !read_clock(&next, end, &in_day) ||
        !read_fraction(&next, end, &moment->nanos) || !read_offset(&next, end, &offset) || next != end) {
        return false;
    }
    moment->seconds = days * day_seconds + in_day - offset;
    return moment->seconds >= first_second && moment->seconds <= last_second;
}

bool docket__json_get_time(const char *text, size_t size, int64_t *time_ms)
{
    docket__json_moment moment = {0, 0};
    if (!docket__json_get_timestamp(text, size, &moment) || moment.nanos % millisecond_nanos != 0) {
        return false;
    }
    *time_ms = moment.seconds * 1000 + moment.nanos / millisecond_nanos;
    return true;
}

bool docket__json_get_duration(const char *text, size_t size, docket__json_moment *moment)
{
    const char *next = text;
    const char *end = text + size;
    bool is_negative = next < end && *next == '-';
    int count = 0;
    next += is_negative;
    moment->seconds = 0;
    for (; next < end && *next >= '0' && *next <= '9' && moment->seconds <= longest_seconds; next++, count++) {
        moment->seconds = moment->seconds * 10 + (*next - '0');
    }
    if (count == 0 || !read_fraction(&next, end, &moment->nanos) || next + 1 != end || *next != 's') {
        return false;
    }
    moment->seconds = is_negative ? -moment->seconds : moment->seconds;
    moment->nanos = is_negative ? -moment->nanos : moment->nanos;
    return moment->seconds >= -longest_seconds && moment->seconds <= longest_seconds;
}
