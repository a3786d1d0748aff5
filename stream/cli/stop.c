/* The flag that signals set. */
#include "cli/stop.h"

#include <signal.h>

static volatile sig_atomic_t wanted;
static volatile sig_atomic_t hangup;

static void on_stop(int signal_number)
{
    (void)signal_number;
    wanted = 1;
}

static void on_hangup(int signal_number)
{
    (void)signal_number;
    hangup = 1;
}

void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    struct sigaction on_hup = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    (void)sigemptyset(&on_hup.sa_mask);
    (void)sigaction(SIGHUP, &on_hup, NULL);
}

bool stop_wanted(void)
{
    return wanted != 0;
}

bool stop_hangup(void)
{
    bool came = hangup != 0;
    hangup = 0;
    return came;
}
