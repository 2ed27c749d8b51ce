// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the table on the kernel that runs, shows it, and compares: first with the rule,
 * by which the code that a call returned decides what becomes of it, then with what was
 * predicted.
 */
#include <stdbool.h>
#include <stdio.h>
#include "check.h"

/* As many wrong predictions are explained at once. */
#define SHOWN	4

static const char *const events[EVENTS] = {
	[HANDLER] = "a handler",
	[RESTART] = "a handler with SA_RESTART",
	[IGNORED] = "SIGUSR1 ignored",
	[STOPPED] = "SIGSTOP and SIGCONT",
	[CHILD] = "SIGCHLD by default",
};

static const char *name_of_fate(enum fate fate)
{
	static const char *const names[] = { "ASK", "FAILS", "AGAIN", "GOES_ON", "SLEEPS" };

	return fate <= SLEEPS ? names[fate] : "?";
}

static const char *name_of_code(int code)
{
	switch (code) {
	case ASK: return "ASK";
	case EINTR: return "EINTR";
	case ERESTARTSYS: return "ERESTARTSYS";
	case ERESTARTNOINTR: return "ERESTARTNOINTR";
	case ERESTARTNOHAND: return "ERESTARTNOHAND";
	case ERESTART_RESTARTBLOCK: return "ERESTART_RESTARTBLOCK";
	}
	return "?";
}

/*
 * The rule.  A signal that is ignored is not even sent.  One that has a handler asks the
 * code whether the call may begin anew after it; where none has, every code but EINTR
 * lets it go on.
 */
static enum fate rule(int code, enum event event)
{
	if (event == IGNORED || event == CHILD)
		return SLEEPS;
	if (code == EINTR)
		return FAILS;
	if (event == STOPPED)
		return code == ERESTART_RESTARTBLOCK ? GOES_ON : AGAIN;
	if (code == ERESTARTNOINTR || (code == ERESTARTSYS && event == RESTART))
		return AGAIN;
	return FAILS;
}

/* Why the rule says so, to be put behind "it returned CODE, ". */
static const char *reason(int code, enum event event)
{
	if (event == IGNORED || event == CHILD)
		return "but a signal that is ignored is dropped when it is sent: nobody wakes";
	if (code == EINTR)
		return "which is a result like any other: it stands";
	if (event == STOPPED)
		return code == ERESTART_RESTARTBLOCK ?
			"and without a handler restart_syscall(2) waits for what is left" :
			"and without a handler the call begins anew";
	switch (code) {
	case ERESTARTNOINTR:
		return "which begins anew after any handler, and asks no flag";
	case ERESTARTSYS:
		return event == RESTART ? "which asks the handler's flag: SA_RESTART begins anew" :
			"which asks the handler's flag, and SA_RESTART is not there";
	}
	return "which becomes EINTR after any handler, whatever its flags";
}

static void show(const struct measurement *measured)
{
	printf("%-25s %-27s %-22s", "call", "slept in", "returned inside");
	printf("%-7s %-7s %-7s %-7s %s\n", "HANDLER", "RESTART", "IGNORED", "STOPPED", "CHILD");
	for (int i = 0; i < CALLS; i++) {
		const struct measurement *m = &measured[i];

		printf("%-25s %-27s %-22s", calls[i].name, m->slept_in, name_of_code(m->code));
		for (int event = 0; event < EVENTS; event++)
			printf(event + 1 < EVENTS ? "%-7s " : "%s\n",
			       name_of_fate(m->fate[event]));
	}
	printf("\n");
}

/* Whether the kernel did what the rule says; if not, the lab is not for this kernel. */
static bool follows_rule(const struct measurement *measured)
{
	bool follows = true;

	for (int i = 0; i < CALLS; i++) {
		for (int event = 0; event < EVENTS; event++) {
			enum fate is = measured[i].fate[event];
			enum fate should = rule(measured[i].code, event);

			if (is == should)
				continue;
			printf("this kernel has another rule: %s, %s: %s, and not %s\n",
			       calls[i].name, events[event], name_of_fate(is),
			       name_of_fate(should));
			follows = false;
		}
	}
	return follows;
}

static int wrong, unsaid;

static void compare_code(int i, const struct measurement *m)
{
	int said = predictions[i].code;

	if (said == m->code)
		return;
	if (said == ASK)
		unsaid++;
	else if (++wrong <= SHOWN)
		printf("%s: you said that it returns %s inside, it returned %s\n",
		       calls[i].name, name_of_code(said), name_of_code(m->code));
}

static void compare_fate(int i, enum event event, const struct measurement *m)
{
	enum fate said = predictions[i].fate[event], is = m->fate[event];

	if (said == is)
		return;
	if (said == ASK)
		unsaid++;
	else if (++wrong <= SHOWN)
		printf("%s, %s: you said %s, the kernel %s: it returned %s, %s\n", calls[i].name,
		       events[event], name_of_fate(said), name_of_fate(is),
		       name_of_code(m->code), reason(m->code, event));
}

int main(void)
{
	static struct measurement measured[CALLS];
	int all = CALLS * (EVENTS + 1);

	for (int i = 0; i < CALLS; i++)
		measure(&calls[i], &measured[i]);
	show(measured);
	if (!follows_rule(measured))
		return 2;
	for (int i = 0; i < CALLS; i++) {
		compare_code(i, &measured[i]);
		for (int event = 0; event < EVENTS; event++)
			compare_fate(i, event, &measured[i]);
	}
	if (!wrong && !unsaid) {
		printf("passed: all %d predictions are what the kernel did\n", all);
		return 0;
	}
	if (wrong > SHOWN)
		printf("and %d more\n", wrong - SHOWN);
	printf("not passed: of %d predictions %d are wrong, and %d still ASK\n", all, wrong,
	       unsaid);
	return 1;
}
