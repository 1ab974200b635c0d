/*
 * The protocol of DESIGN.md, written from its text and apart from the code: one record, one row, a store behind a network
 * that loses, doubles and delays, workers that crash, and time that passes. scripts/spin.sh says with which settings it is run.
 *
 * Time has no numbers here. Each lease is live, then in its margin (its own worker would not start a handler any more), then
 * passed (others may take over): clocks that differ by up to the skew never see it the other way round. A lease that ends
 * although its worker is alive counts as a fault; that of a dead worker ends sooner or later.
 *
 * Settings: FAULTS, WORKERS, AT_MOST_ONCE, TRANSACTION (effect and completion are one), LIVENESS (checks the formula instead
 * of the assertions), and the name of one defect, which must be found.
 */
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#define RECEIVES (2*FAULTS + 2) /* never needed when all is well: see dead */
#define TOKENS   (RECEIVES + 1) /* one owner token for each claim; one delivery may be a second one */
#define NOBODY   TOKENS

/* The row. Its fencing number is a clock when the row is new, else it is counted on. */
mtype = { absent, processing, completed, failed, parked };
mtype row = absent;
byte owner = NOBODY;
bit  version; /* of the owner's lease: 0 as claimed, 1 as extended */
byte fence;

/* Leases, by token and version. */
mtype = { live, margin, passed };
mtype lease[2*TOKENS] = live;
bool  extended[TOKENS];
#define END(o, v) lease[2*(o) + (v)]

/* The queue, with one message for the record, and one second delivery. */
mtype = { visible, inflight, deleted, dead };
mtype message = visible;
bool  wait;            /* it comes back when the lease that was in its way has passed */
byte  receives;
bool  second = true;
byte  token;           /* the next owner token */

byte  faults = FAULTS;
bool  retention = true; /* has not passed yet: it does so once at most */

/* What the assertions remember. */
bool alive[TOKENS];     /* the worker with that token is at work */
bool sure[TOKENS];      /* and may count on its lease */
bit  granted[TOKENS];   /* the version that the store granted */
bool succeeded[TOKENS]; /* its effect took place */
bool excused[TOKENS];   /* it lost the row after its lease or retention had passed */
bool ran[TOKENS], forgotten[TOKENS];
bool recorded;
byte last_fence, clock = 1;

/* Messages: requests that nobody waits for any more, and answers. */
mtype = { claim, extend, complete, release };
mtype = { won, done, busy, stuck, applied, lost, lost_done, undecided, crash };
chan late = [2] of { mtype, byte, bit }; /* operation, owner, version or whether the handler ran */

inline success(o) {
	k = 0;
	do
	:: k < TOKENS ->
		/* Two successful runs of the record have an expired lease or a retention between them. */
		assert(k == o || !succeeded[k] || excused[k] || excused[o]);
		k++
	:: else -> break
	od;
	succeeded[o] = true;
	k = 0
}

/* The key goes to o. */
inline take(o) {
	if
	:: owner != NOBODY && owner != o ->
		excused[owner] = excused[owner] || END(owner, granted[owner]) == passed;
		/* A lease excludes all others until its margin. */
		assert(!(alive[owner] && sure[owner] && END(owner, granted[owner]) == live))
	:: else
	fi;
	if
	:: row == absent -> clock++; fence = clock
#ifdef KEEP_FENCE
	:: else
#else
	:: else -> fence++
#endif
	fi;
	/* Fencing numbers grow from claim to claim. */
	assert(fence > last_fence);
	last_fence = fence;
	clock = (clock < fence -> fence : clock);
	row = processing; owner = o; version = 0;
	if
	:: !succeeded[o] -> excused[o] = false
	:: else
	fi;
	out = won
}

inline claim_row(o) {
	if
#ifdef OWN_CLAIM_ALWAYS
	:: row != absent && owner == o -> row = processing; out = won
#else
	:: row != absent && owner == o ->
		if
		:: row == processing -> out = won
		:: row == completed -> out = done
		:: row == parked -> out = stuck
		:: row == failed -> out = lost
		fi
#endif
	:: else ->
		if
		:: row == absent || row == failed -> take(o)
		:: row == completed -> out = done
		:: row == parked -> out = stuck
#ifdef NEVER_TAKE_OVER
		:: row == processing -> out = busy
#else
#ifdef EARLY_TAKEOVER
		:: row == processing && END(owner, version) == live -> out = busy
		:: row == processing && END(owner, version) != live ->
#else
		:: row == processing && END(owner, version) != passed -> out = busy
		:: row == processing && END(owner, version) == passed ->
#endif
#if defined(AT_MOST_ONCE) && !defined(PARK_NOTHING)
			row = parked; out = stuck
#else
			take(o)
#endif
#endif
		fi
	fi
}

/* The store applies an operation; x is the version of an extend, and whether the handler ran of a release. */
inline step(op, o, x) {
	before = row; was = owner;
	if
	:: op == claim -> claim_row(o)
	:: op == extend ->
		if
		:: row == processing && owner == o -> version = 1; granted[o] = 1; out = applied
		:: else -> out = lost
		fi
	:: op == complete ->
		if
#ifdef NO_OWNER_CHECK
		:: row == absent -> out = lost
#else
		:: row == absent || owner != o -> out = (row == completed -> lost_done : lost)
#endif
		:: else ->
			if
			:: row == failed -> out = lost
			:: row == completed -> out = applied
			:: else ->
#ifdef TRANSACTION
				success(o);
#endif
				row = completed; recorded = true; out = applied;
				/* A completed row had an effect. */
				assert(succeeded[owner])
			fi
		fi
	:: op == release ->
		if
		:: row == absent || owner != o -> out = lost
		:: row == completed -> out = done
		:: row == failed || (row == parked && x) -> out = applied
		:: else ->
#ifdef AT_MOST_ONCE
			row = (x -> parked : failed);
#else
			row = failed;
#endif
			out = applied
		fi
	fi;
	/* A stale owner never changes a row. */
	assert(op == claim || was == o || (row == before && owner == was));
	/* Nothing changes a completed row. */
	assert(before != completed || (row == completed && owner == was));
	before = 0; was = 0
}

/* A worker calls the store. A worker that crashes did so before or after the store applied the request. */
mtype = { heard, request_lost, answer_lost, delayed, doubled, crash_before, crash_after };

inline call(op, o, x) {
	atomic {
		if
		:: fate = heard
		:: faults > 0 -> faults--;
			if
			:: fate = request_lost
			:: fate = answer_lost
			:: nfull(late) -> fate = delayed
			:: nfull(late) -> fate = doubled
			:: fate = crash_before
			:: fate = crash_after
			fi
		fi;
		if
		:: fate == heard || fate == answer_lost || fate == doubled || fate == crash_after -> step(op, o, x)
		:: else
		fi;
		if
		:: fate == delayed || fate == doubled -> late!op,o,x
		:: else
		fi;
		if
		:: fate == request_lost || fate == answer_lost || fate == delayed -> out = undecided
		:: fate == crash_before || fate == crash_after -> out = crash
		:: else
		fi;
		fate = 0
	}
}

/* The worker is done with the record, or has failed, and with it the delivery. */
inline finish(ok) {
	/* An acknowledgement implies a completion. */
	assert(!(ok) || recorded);
	if
	:: carrier && (ok) -> message = deleted
	:: carrier && !(ok) && receives < RECEIVES -> message = visible
	:: carrier && !(ok) && receives == RECEIVES -> message = dead
	:: !carrier
	fi;
	carrier = false
}

active [WORKERS] proctype worker() {
	byte o, was, k, tries;
	mtype out, before, fate;
	bool carrier;

end_idle:
	atomic {
		if
		:: message == visible && (!wait || row != processing || END(owner, version) == passed) ->
			message = inflight; wait = false; receives++; carrier = true
		:: second -> second = false; carrier = false
		fi;
		o = token; token++; alive[o] = true; tries = 0
	}
claims:
	call(claim, o, 0);
	atomic {
		tries++;
		if
		:: out == won -> tries = 0; sure[o] = true
		:: out == done -> finish(true); goto over
		:: out == busy ->
			wait = carrier;
#ifdef ACK_BUSY
			finish(true);
#else
			finish(false);
#endif
			goto over
		:: out == stuck -> finish(false); goto over
		:: out == undecided && tries < 3 -> goto claims
		:: out == crash -> goto crashed
		:: out == lost || (out == undecided && tries == 3) -> /* forgotten: released, and nobody waits for that */
			finish(false); tries = 0; goto forgets
		fi
	}
starts:
	atomic {
		if
		:: END(o, granted[o]) == live -> skip
#ifdef START_ANYHOW
		:: END(o, granted[o]) != live -> skip
#else
		:: END(o, granted[o]) != live -> sure[o] = false; goto refuses
#endif
		:: faults > 0 -> faults--; goto crashed
		fi;
		/* At most once: no second run before the retention has passed. */
#ifdef AT_MOST_ONCE
		k = 0;
		do
		:: k < TOKENS -> assert(k == o || !ran[k] || forgotten[k]); k++
		:: else -> k = 0; break
		od;
#endif
		/* No handler starts under a lease that was taken over. */
		assert(row == absent || owner == o);
		ran[o] = true
	}
#ifdef COMPLETE_FIRST
	goto completes;
#endif
runs:
	if
	:: atomic { !extended[o] -> extended[o] = true; END(o, 1) = live }
		call(extend, o, 1);
		atomic {
			if
			:: out == crash -> goto crashed
			:: out == lost -> sure[o] = false
			:: else
			fi;
			goto runs
		}
	:: atomic { true ->
#ifndef TRANSACTION
		success(o);
#endif
		sure[o] = false }
	:: atomic { faults > 0 -> faults--; sure[o] = false; goto fails }
	:: atomic { !sure[o] -> goto fails } /* its context has ended */
	:: atomic { faults > 0 -> faults--; goto crashed }
	fi;
completes:
	call(complete, o, 0);
	atomic {
		if
		:: out == applied || out == lost_done -> finish(true); goto over
		:: out == lost -> finish(false); goto over
		:: out == undecided -> goto completes
#ifdef TRANSACTION
		:: out == undecided -> tries = 0; goto fails /* the handler returns the error */
#else
#ifdef RELEASE_AFTER_SUCCESS
		:: out == undecided -> tries = 0; goto fails
#else
#ifdef ACK_UNDECIDED
		:: out == undecided -> finish(true); goto over
#else
		:: out == undecided -> finish(false); goto over
#endif
#endif
#endif
		:: out == crash -> goto crashed
		fi
	}
refuses: /* the handler did not start; one more extend might have saved it */
	call(release, o, 0);
	atomic {
		tries++;
		if
		:: out == undecided && tries < 3 -> goto refuses
		:: out == crash -> goto crashed
		:: else -> finish(out == done); goto over
		fi
	}
fails:
	call(release, o, 1);
	atomic {
		tries++;
		if
		:: out == undecided && tries < 3 -> goto fails
		:: out == crash -> goto crashed
		:: else -> finish(out == done); goto over
		fi
	}
forgets:
	call(release, o, 0);
	atomic {
		tries++;
		if
		:: out == undecided && tries < 3 -> goto forgets
		:: else -> goto over
		fi
	}
crashed:
	atomic { finish(false) }
over:
	atomic { alive[o] = false; sure[o] = false; o = 0; tries = 0; out = 0; goto end_idle }
}

/* Copies that nobody waits for arrive at any time. */
active proctype network() {
	byte o, was, k;
	mtype op, out, before;
	bit x;
end:
	do
	:: atomic { late?op,o,x -> step(op, o, x); op = 0; o = 0; x = 0; out = 0 }
	:: atomic { len(late) == 2 -> late?op,o,x; late!op,o,x; op = 0; o = 0; x = 0 } /* in any order */
	od
}

/* Time ends the lease of the row: for free when its worker is dead. */
active proctype time() {
	byte k;
end:
	do
	:: atomic { row == processing && END(owner, 0) == live && (!alive[owner] || faults > 0) ->
		faults = (alive[owner] -> faults - 1 : faults); END(owner, 0) = margin }
	:: atomic { row == processing && END(owner, 0) == margin -> END(owner, 0) = passed }
	:: atomic { row == processing && END(owner, 0) == passed && extended[owner] && END(owner, 1) == live && (!alive[owner] || faults > 0) ->
		faults = (alive[owner] -> faults - 1 : faults); END(owner, 1) = margin }
	:: atomic { row == processing && END(owner, 0) == passed && extended[owner] && END(owner, 1) == margin -> END(owner, 1) = passed }
	od
}

/* The retention passes, once at most. */
active proctype retain() {
	byte k;
end:
	atomic {
		retention && (row == completed || row == failed || (row == processing && END(owner, version) == passed)) ->
		retention = false;
		do
		:: k < TOKENS -> forgotten[k] = true; excused[k] = excused[k] || succeeded[k]; k++
		:: else -> break
		od;
		excused[owner] = true;
		row = absent; owner = NOBODY; version = 0; k = 0
	}
}

#ifdef LIVENESS
/* With finitely many faults every record completes or is parked, if nothing waits for ever; it is not even dead-lettered. */
ltl ends { <> (message == deleted || row == parked) }
#endif
