// Writes records with Powertools for AWS Lambda (TypeScript): see ../README.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

Object.assign(process.env, {
	AWS_LAMBDA_FUNCTION_NAME: 'orders',
	AWS_REGION: 'us-east-1',
	AWS_ACCESS_KEY_ID: 'test',
	AWS_SECRET_ACCESS_KEY: 'test',
});
console.warn = () => {};

const { CreateTableCommand, DeleteTableCommand, DynamoDBClient, ScanCommand } = await import('@aws-sdk/client-dynamodb');
const { IdempotencyConfig, makeIdempotent } = await import('@aws-lambda-powertools/idempotency');
const { DynamoDBPersistenceLayer } = await import('@aws-lambda-powertools/idempotency/dynamodb');

const client = new DynamoDBClient({ endpoint: process.env.ONLYONCE_DYNAMODB_ENDPOINT });

// write handles the case's record and returns the items that are then in the table.
async function write(c, table) {
	const keys = c.sorted ? ['pk', 'sk'] : ['id'];
	await client.send(new CreateTableCommand({
		TableName: table,
		BillingMode: 'PAY_PER_REQUEST',
		AttributeDefinitions: keys.map((k) => ({ AttributeName: k, AttributeType: 'S' })),
		KeySchema: keys.map((k, i) => ({ AttributeName: k, KeyType: i ? 'RANGE' : 'HASH' })),
	}));
	const config = new IdempotencyConfig({
		eventKeyJmesPath: c.jmespath,
		payloadValidationJmesPath: c.validation,
		hashFunction: c.hash,
		expiresAfterSeconds: c.expires,
		lambdaContext: c.remaining && { getRemainingTimeInMillis: () => c.remaining },
	});
	// A handler that was killed never comes back.
	let started;
	const killed = new Promise((resolve) => { started = resolve; });
	const processOrder = (record) => {
		started();
		return c.killed ? new Promise(() => {}) : Promise.resolve({ done: true });
	};
	const handler = makeIdempotent(processOrder, {
		config,
		keyPrefix: c.prefix,
		persistenceStore: new DynamoDBPersistenceLayer({
			tableName: table,
			awsSdkV3Client: client,
			...(c.sorted && { keyAttr: 'pk', sortKeyAttr: 'sk' }),
			...(c.renamed && { statusAttr: 'st', expiryAttr: 'ex', inProgressExpiryAttr: 'ip', validationKeyAttr: 'va' }),
		}),
	});
	const run = handler({ messageId: c.messageId, body: c.body });
	await (c.killed ? killed : run);
	const { Items } = await client.send(new ScanCommand({ TableName: table }));
	await client.send(new DeleteTableCommand({ TableName: table }));
	return Items;
}

const [cases, out] = process.argv.slice(2);
const written = [];
for (const [i, c] of JSON.parse(readFileSync(cases, 'utf8')).entries()) {
	if (c.not?.includes('typescript')) continue;
	for (const item of await write(c, `node-${process.pid}-${i}`)) written.push({ case: c.name, item });
}
const installed = createRequire(import.meta.url).resolve('@aws-lambda-powertools/idempotency');
const { version } = JSON.parse(readFileSync(installed.replace(/\/lib\/.*/, '/package.json'), 'utf8'));
writeFileSync(out, JSON.stringify({
	library: 'typescript',
	version,
	runtime: `node ${process.versions.node}`,
	prefix: 'orders',
	staticKey: 'idempotency#orders',
	read: Date.now() + 3000,
	written,
}, null, '\t') + '\n');
console.log(`${written.length} records of ${version}`);
process.exit(0); // those that were killed still wait
