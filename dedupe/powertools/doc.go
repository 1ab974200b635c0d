// Package powertools lets a team move a consumer from the idempotency utility
// of Powertools for AWS Lambda to onlyonce without doing finished work again:
// what a Powertools record says is COMPLETED counts as done.
//
// [Done] is a middleware for the handler behind a [dedupe.Guard]. It only
// reads the Powertools table; all that onlyonce does is recorded in a table of
// its own. Each record that is new to the guard costs one strongly consistent
// read: one read unit for each 4 KB of its item there, with the response in
// it, and the permission dynamodb:GetItem. Remove it when the last Powertools
// record has expired [expires_after_seconds, an hour unless set].
//
// # Switching
//
// It is safe to read what was finished before the switch. It is not safe to
// run old and new workers on the same keys side by side: a Powertools claim
// knows nothing of ours, so both can run one record. Nor does Powertools see,
// after a way back, what onlyonce finished. So:
//
//  1. Compare [Options.Key] for some messages with the table.
//  2. Disable the old event source mapping, or stop the old workers, and wait
//     until their running invocations have ended.
//  3. Enable the new one.
//
// A record that a worker died with is left alone until its lease there has
// passed. One written without a Lambda context has no lease and is left alone
// until it expires; on a queue with few receives it can get to the dead-letter
// queue in that time. A record that has expired there is forgotten here as
// well: let Powertools keep records for as long as a redelivery can take, or
// longer, before the switch.
//
// A look-up that fails is to the guard a handler that failed. An at-most-once
// guard parks such records; that is as safe, and needs a person.
//
// # Keys
//
// An id is a prefix, "#" and a hash of what the old function's JMESPath
// expression selected, so [Options] need all three: the library, the prefix
// and the data.
//
//	library     Prefix                                    hash, over                       versions
//	Python      <function>.<module>.<qualified name>      hex, json.dumps(sort_keys=True)  from 2.0
//	TypeScript  <function>                                base64, JSON.stringify           from 2.0, with objects from 2.2
//	Java        <function>.<method>                       hex, see below                   1.15, 2.x
//
// The id has to be that of one record, as made by idempotent_function or
// makeIdempotent around the work of a record, or of one EventBridge event:
// one that was made from a whole batch says nothing of its records.
//
// In the table, function is AWS_LAMBDA_FUNCTION_NAME; for Python the rest is of the
// decorated function ("orders.app.process_order"), for Java the method's name,
// or the name given to makeIdempotent. A prefix of one's own [key_prefix in
// Python, keyPrefix in TypeScript from 2.15] stands for all of it. Java hashes
// the bare text of a string or a number (1 and "1" are one key there), and
// JsonNode.toString of a list.
//
// The tests recognise records that Python 3.37.0, TypeScript 2.35.0 and Java
// 1.15.0 wrote (the latter's store, without the aspect), and did those of
// Python 2.15.0, 2.43.1 and 3.0.0 and TypeScript 2.1.1 (without objects) and
// 2.2.0. Java 2.x, and the prefixes that its aspect makes, are known from its
// source only.
//
// # What is refused
//
// Where the text that a library hashes depends on what a message does not
// tell, its record fails with [ErrNotPortable] instead of a guess:
//
//   - numbers whose digits the library does not keep (all that a double
//     rounds; in TypeScript also integers beyond 2^53), because two of them
//     would be one key;
//   - in TypeScript, objects with names that are not ASCII, are made of
//     digits, differ only in case or are __proto__;
//   - in Java, numbers with a fraction or an exponent, and objects of several
//     members: their text depends on the Java version and on the class;
//   - data that is nested deeper than 500.
//
// Data that is null or empty, or has nothing but null in it, identifies
// nothing: see [Options.Optional]. Bodies are read strictly, as by
// [dedupe.Field].
//
// Python values that no JSON text gives, such as Decimal, and JMESPath
// functions of one's own need a [Data] of one's own. What cannot be read at
// all are records of .NET, whose hash is over the text of the message as it
// stands, and those in Redis or Valkey.
package powertools
