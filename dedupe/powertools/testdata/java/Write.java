import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.net.URI;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.lambda.powertools.idempotency.IdempotencyConfig;
import software.amazon.lambda.powertools.idempotency.persistence.DynamoDBPersistenceStore;

/** Writes records with Powertools for AWS Lambda (Java): see ../README.md. */
public class Write {
    static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    public static void main(String[] args) throws Exception {
        DynamoDbClient client = DynamoDbClient.builder()
                .endpointOverride(URI.create(System.getenv("ONLYONCE_DYNAMODB_ENDPOINT")))
                .region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
                .httpClient(UrlConnectionHttpClient.create())
                .build();
        ArrayNode written = JSON.createArrayNode();
        int i = 0;
        for (JsonNode c : JSON.readTree(new File(args[0]))) {
            // Java has no prefix of its own.
            if (c.path("not").toString().contains("java") || c.has("prefix")) {
                continue;
            }
            for (Map<String, AttributeValue> item : write(client, c, "java-" + ProcessHandle.current().pid() + "-" + i++)) {
                ObjectNode row = written.addObject().put("case", c.get("name").asText());
                ObjectNode out = row.putObject("item");
                item.forEach((name, v) -> out.putObject(name).put(v.s() != null ? "S" : "N", v.s() != null ? v.s() : v.n()));
            }
        }
        ObjectNode fixture = JSON.createObjectNode()
                .put("library", "java")
                .put("version", args[2])
                .put("runtime", "java " + System.getProperty("java.version"))
                .put("prefix", "orders.processOrder")
                .put("staticKey", "idempotency#orders")
                .put("read", System.currentTimeMillis() + 3000);
        fixture.set("written", written);
        JSON.writeValue(new File(args[1]), fixture);
        System.out.println(written.size() + " records of " + args[2]);
    }

    /** Does with the store what the library's aspect does around an annotated method. */
    static List<Map<String, AttributeValue>> write(DynamoDbClient client, JsonNode c, String table) throws Exception {
        List<String> keys = c.path("sorted").asBoolean() ? List.of("pk", "sk") : List.of("id");
        List<AttributeDefinition> attributes = new ArrayList<>();
        List<KeySchemaElement> schema = new ArrayList<>();
        for (String k : keys) {
            attributes.add(AttributeDefinition.builder().attributeName(k).attributeType(ScalarAttributeType.S).build());
            schema.add(KeySchemaElement.builder().attributeName(k).keyType(schema.isEmpty() ? KeyType.HASH : KeyType.RANGE).build());
        }
        client.createTable(b -> b.tableName(table).billingMode(BillingMode.PAY_PER_REQUEST)
                .attributeDefinitions(attributes).keySchema(schema));
        DynamoDBPersistenceStore.Builder builder = DynamoDBPersistenceStore.builder().withDynamoDbClient(client).withTableName(table);
        if (keys.size() > 1) {
            builder = builder.withKeyAttr("pk").withSortKeyAttr("sk");
        }
        if (c.path("renamed").asBoolean()) {
            builder = builder.withStatusAttr("st").withExpiryAttr("ex").withValidationAttr("va");
        }
        IdempotencyConfig.Builder config = IdempotencyConfig.builder()
                .withEventKeyJMESPath(c.get("jmespath").asText())
                .withExpiration(java.time.Duration.ofSeconds(c.path("expires").asLong(3600)))
                .withHashFunction(c.path("hash").asText("MD5").replace("sha256", "SHA-256"));
        if (c.has("validation")) {
            config = config.withPayloadValidationJMESPath(c.get("validation").asText());
        }
        DynamoDBPersistenceStore store = builder.build();
        store.configure(config.build(), "processOrder");
        JsonNode record = JSON.createObjectNode()
                .put("messageId", c.get("messageId").asText())
                .put("body", c.get("body").asText());
        OptionalInt remaining = c.has("remaining") ? OptionalInt.of(c.get("remaining").asInt()) : OptionalInt.empty();
        store.saveInProgress(record, Instant.now(), remaining);
        if (!c.path("killed").asBoolean()) {
            store.saveSuccess(record, Map.of("done", true), Instant.now());
        }
        List<Map<String, AttributeValue>> items = client.scan(b -> b.tableName(table)).items();
        client.deleteTable(b -> b.tableName(table));
        return items;
    }
}
