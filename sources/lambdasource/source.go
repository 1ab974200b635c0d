package lambdasource

import "github.com/onlyonce-go/onlyonce/sources"

// source says what a constructor reads.
type source struct {
	name  string // of the constructor
	wants string // what it reads
	from  string // what alone should invoke the function

	origin string // what its records name as their source, where they do

	partial bool // the answer can say which records failed
	decodes bool // Options.Decode makes sense
	splits  bool // Options.Split does
	replays bool // its records can have the name of a replay without Options.Decode

	// Of those that answer with a partial response.
	array   bool // the payload is an array, not an object with Records
	bare    bool // elements may be something else than messages
	stream  bool // the lowest sequence number is the answer
	element func(*reader) error
}

func sqsSource() source {
	return source{
		name: "SQS", wants: anSQSEvent, from: "an SQS event source mapping", origin: awsSQS,
		partial: true, decodes: true, splits: true, element: (*reader).record,
	}
}

func pipesSource() source {
	s := sqsSource()
	s.name, s.wants, s.from = "Pipes", "an array of SQS messages", "a pipe that reads a queue"
	s.array, s.bare, s.element = true, true, (*reader).pipesElement
	return s
}

func kinesisSource() source {
	return source{
		name: "Kinesis", wants: "a Kinesis event", from: "a Kinesis event source mapping", origin: "aws:kinesis",
		partial: true, decodes: true, stream: true,
		element: func(r *reader) error { return r.streamElement(sources.Kinesis, "kinesis", "sequenceNumber") },
	}
}

func dynamoDBSource() source {
	return source{
		name: "DynamoDBStream", wants: "a DynamoDB stream event", from: "an event source mapping of a DynamoDB stream", origin: "aws:dynamodb",
		partial: true, stream: true,
		element: func(r *reader) error { return r.streamElement(sources.DynamoDBStream, "dynamodb", "SequenceNumber") },
	}
}

func eventBridgeSource() source {
	return source{name: "EventBridge", wants: anEventBridgeOne, from: "an EventBridge rule", replays: true}
}

func schedulerSource() source {
	return source{name: "Scheduler", wants: "the Input of a schedule", from: "a schedule with the Input that sources.Scheduler describes"}
}

func snsSource() source {
	return source{name: "SNS", wants: "an SNS event", from: "an SNS topic", origin: "aws:sns", decodes: true}
}

func eventBusSource() source {
	return source{name: "EventBus", wants: "events of a custom event bus", from: "a custom event bus"}
}
