package e2e_test

import (
	"context"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// edits are all that is changed in template.yaml before it is deployed: what a
// test must point at, and what ministack cannot make. It can make everything.
var edits = []struct{ from, to, why string }{
	{"CodeUri: cmd/example-worker\n", "CodeUri: " + codeURI + "\n", "sam package puts the place of the built program here"},
	{"VisibilityTimeout: 180", "VisibilityTimeout: 2", "five receives of a poison message take ten seconds, not a quarter of an hour"},
}

// stack is template.yaml, deployed. names are its outputs, and the physical
// ids of its resources under their logical ones.
type stack struct {
	*cloud
	names map[string]string
}

// deploy makes a stack of template.yaml whose functions post to effectURL.
func (c *cloud) deploy(t *testing.T, name, effectURL string, parameters map[string]string) *stack {
	t.Helper()
	text, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	template := string(text)
	for _, e := range edits {
		if !strings.Contains(template, e.from) {
			t.Fatalf("template.yaml has no %q: %s", e.from, e.why)
		}
		template = strings.ReplaceAll(template, e.from, e.to)
	}
	in := &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: &template,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityAutoExpand},
	}
	all := map[string]string{"EffectUrl": effectURL, "Architecture": architecture(), "Key": "/order_id"}
	maps.Copy(all, parameters)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &key, ParameterValue: aws.String(all[key])})
	}
	if _, err := c.stacks.CreateStack(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = c.stacks.DeleteStack(context.WithoutCancel(t.Context()), &cloudformation.DeleteStackInput{StackName: &name})
	})
	s := &stack{cloud: c, names: c.created(t, name)}
	s.enableTimeToLive(t)
	return s
}

// architecture is what template.yaml calls this machine's processor.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// created waits until the stack is there and returns what it names.
func (c *cloud) created(t *testing.T, name string) map[string]string {
	t.Helper()
	ask := &cloudformation.DescribeStacksInput{StackName: &name}
	waiter := cloudformation.NewStackCreateCompleteWaiter(c.stacks, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	})
	made, err := waiter.WaitForOutput(t.Context(), ask, time.Minute)
	if err != nil {
		t.Fatalf("stack %s: %v\n%s", name, err, c.failures(t, name))
	}
	resources, err := c.stacks.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, r := range resources.StackResources {
		names[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
	}
	for _, o := range made.Stacks[0].Outputs {
		names[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return names
}

// failures says why a stack was not made.
func (c *cloud) failures(t *testing.T, name string) string {
	t.Helper()
	all, err := c.stacks.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &name})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range all.StackEvents {
		if strings.HasSuffix(string(e.ResourceStatus), "FAILED") {
			b.WriteString(aws.ToString(e.LogicalResourceId) + ": " + aws.ToString(e.ResourceStatusReason) + "\n")
		}
	}
	return b.String()
}

// enableTimeToLive does what ministack's CloudFormation leaves out: it makes
// the table without its TimeToLiveSpecification.
func (s *stack) enableTimeToLive(t *testing.T) {
	t.Helper()
	table := s.names["TableName"]
	is, err := s.tables.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if status := is.TimeToLiveDescription.TimeToLiveStatus; status != ddb.TimeToLiveStatusDisabled {
		t.Fatalf("time to live is %s: ministack makes it now, enableTimeToLive can go", status)
	}
	_, err = s.tables.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: &table, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}
