#include <docket/observer.h>

const char *docket_event_name(docket_event_kind kind)
{
    switch (kind) {
    case DOCKET_EVENT_EXECUTION_START:
        return "execution_start";
    case DOCKET_EVENT_EXECUTION_END:
        return "execution_end";
    case DOCKET_EVENT_LOOKUP:
        return "lookup";
    case DOCKET_EVENT_STEP_START:
        return "step_start";
    case DOCKET_EVENT_STEP_END:
        return "step_end";
    case DOCKET_EVENT_RETRY:
        return "retry";
    case DOCKET_EVENT_COMMIT:
        return "commit";
    case DOCKET_EVENT_WAIT:
        return "wait";
    case DOCKET_EVENT_FALLBACK:
        return "fallback";
    case DOCKET_EVENT_STRAGGLER:
        return "straggler";
    case DOCKET_EVENT_WARNING:
        return "warning";
    case DOCKET_EVENT_PROGRESS:
        return "progress";
    case DOCKET_EVENT_IN_DOUBT:
        return "in_doubt";
    }
    return "unknown";
}
