package sources

import "github.com/onlyonce-go/onlyonce/consumer"

// S3Event splits a notification that an S3 bucket sent into its records. A
// record's ID is made of the bucket's name, the key as it stands there (it is
// URL-encoded), the object's version and sequencer, one of which must be
// there, and the event's name, which is also its Type. Source is the bucket's
// name, Time the eventTime, Body the exact bytes of the record.
//
// A record without these, or not of S3, is an [EnvelopeError]; those beside it
// are returned. The test event, which S3 sends when notifications are set up,
// has no records and is no error: there is nothing to do for it.
func S3Event(rec *consumer.Record) ([]*consumer.Record, error) {
	var array []byte
	var test string
	r := reader{envelope: s3, body: rec.Body}
	err := r.read(
		member{name: "Records", array: &array},
		member{name: "Event", text: &test})
	switch {
	case err != nil:
		return nil, err
	case array == nil && test == "s3:TestEvent":
		return nil, nil
	case array == nil:
		return nil, r.fail("Records", ErrNoMember)
	}
	return r.split("Records", array, rec, s3Record)
}

// s3Record reads one record of a notification.
func s3Record(rec *consumer.Record) error {
	var source, name, bucketName, key, version, sequencer string
	var about, bucket, object []byte
	at := rec.Time
	r := reader{envelope: s3, body: rec.Body}
	err := r.read(
		member{name: "eventSource", text: &source, required: true},
		member{name: "eventName", text: &name, required: true},
		member{name: "eventTime", time: &at},
		member{name: "s3", object: &about, required: true})
	if err == nil {
		err = r.within("s3", about,
			member{name: "bucket", object: &bucket, required: true},
			member{name: "object", object: &object, required: true})
	}
	if err == nil {
		err = r.within("s3.bucket", bucket, member{name: "name", text: &bucketName, required: true})
	}
	if err == nil {
		err = r.within("s3.object", object,
			member{name: "key", text: &key, required: true},
			member{name: "versionId", text: &version, empty: true, null: true}, // null without versioning
			member{name: "sequencer", text: &sequencer, empty: true, null: true})
	}
	switch {
	case err != nil:
		return err
	case source != "aws:s3":
		return r.bad("eventSource", "want aws:s3")
	case version == "" && sequencer == "":
		return r.fail("s3.object.sequencer", ErrNoMember)
	}
	rec.ID = identity(bucketName, key, version, sequencer, name)
	rec.Source, rec.Type, rec.Time = bucketName, name, at
	return nil
}
