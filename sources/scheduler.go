package sources

import (
	"strings"
	"time"

	"github.com/onlyonce-go/onlyonce/consumer"
)

// Scheduler takes off the envelope that a schedule of EventBridge Scheduler
// must give to its target, since Scheduler has none of its own. Set the
// target's Input to
//
//	{"schedule_arn": "<aws.scheduler.schedule-arn>",
//	 "scheduled_time": "<aws.scheduler.scheduled-time>",
//	 "detail": {...}}
//
// ID is made of the schedule's ARN and the scheduled time, which stay the
// same when Scheduler tries again; the execution id does not. Source is the
// ARN, Time the scheduled time, Body the exact bytes of detail, an object.
//
// Other members are passed over. Without one of the three, and where the
// keywords were not replaced, it is an [EnvelopeError].
func Scheduler(rec *consumer.Record) error {
	var arn string
	var at time.Time
	var detail []byte
	r := reader{envelope: scheduled, body: rec.Body}
	err := r.read(
		member{name: "schedule_arn", text: &arn, required: true},
		member{name: "scheduled_time", time: &at, required: true},
		member{name: "detail", object: &detail, required: true},
	)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(arn, "arn:") {
		return r.bad("schedule_arn", "want an ARN, as <aws.scheduler.schedule-arn> gives it")
	}
	rec.ID, rec.Source, rec.Time = identity(arn, at.UTC().Format(time.RFC3339Nano)), arn, at
	rec.Body = detail
	return nil
}
