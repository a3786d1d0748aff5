/* The flag that signals set. */
#include "cli/stop.h"

#include <signal.h>
#include <stdatomic.h>

/* Lock-free, so that a handler may set them; read by every worker's thread. */
static atomic_int wanted;
static atomic_int hangup;

static void on_stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&wanted, 1);
}

static void on_hangup(int signal_number)
{
    (void)signal_number;
    atomic_store(&hangup, 1);
}

void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit of files' sizes (ulimit -f) is an error of writing */
    struct sigaction on_hup = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    (void)sigemptyset(&on_hup.sa_mask);
    (void)sigaction(SIGHUP, &on_hup, NULL);
}

bool stop_wanted(void)
{
    return atomic_load(&wanted) != 0;
}

bool stop_hangup(void)
{
    return atomic_exchange(&hangup, 0) != 0;
}

void stop_ask(void)
{
    atomic_store(&wanted, 1);
}
