/* The flag that signals set. */
#include "cli/stop.h"

#include <signal.h>

static volatile sig_atomic_t wanted;

static void on_stop(int signal_number)
{
    (void)signal_number;
    wanted = 1;
}

void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

bool stop_wanted(void)
{
    return wanted != 0;
}
