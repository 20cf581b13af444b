// A broker of Kafka out of Maven Central's jars, filled with what `test/scaler-broker-cases.ts` says.
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { placeOf } from '../machine-programs.ts'
import { runCommand } from '../run-command.ts'
import { type RealServer, scratch, started } from './servers.ts'

const version = '4.1.0'

/** The broker and its tools with all that they need. @throws PartUnavailable */
async function jars(): Promise<string> {
  for (const program of ['java', 'mvn'])
    if (placeOf(program) === undefined) throw new PartUnavailable(`no ${program} on this machine`)
  const cache = cacheDirectory(`kafka-${version}`)
  const directory = join(cache, 'jars')
  if (existsSync(directory)) return directory
  const unfinished = mkdtempSync(join(cache, 'unfinished-'))
  try {
    const needed = ['kafka_2.13', 'kafka-tools'].map(
      name =>
        `<dependency><groupId>org.apache.kafka</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
    )
    const about = '<modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>'
    writeFileSync(join(unfinished, 'pom.xml'), `<project>${about}<dependencies>${needed.join('')}</dependencies></project>`)
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
    const copied = await runCommand('mvn', ['-q', '-B', goal, '-DoutputDirectory=jars'], { cwd: unfinished })
    if (copied.code !== 0) throw new PartUnavailable(`Kafka ${version} of Maven Central: ${copied.stdout.slice(-500)}`)
    renameSync(join(unfinished, 'jars'), directory)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return directory
}

/** `sasl` wants a login; both have the same topics. */
type KafkaServer = RealServer & { readonly sasl: string }

/**
 * Topic `jobs` of four partitions with six messages; group `workers` committed the beginning of all but the last. It says that it is found at
 * `advertisedPort`, where that is given. @throws PartUnavailable
 */
export async function startKafka(advertised?: { readonly port: number; readonly advertisedPort: number }): Promise<KafkaServer> {
  const classes = join(await builtOnce(`Kafka ${version}`, jars), '*')
  await using stack = new AsyncDisposableStack()
  const port = advertised?.port ?? (await freePort())
  const [login, controller] = [await freePort(), await freePort()]
  const directory = scratch(stack)
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="of-the-server";'
  const settings = file(
    'server.properties',
    [
      ...['process.roles=broker,controller', 'node.id=1', `controller.quorum.voters=1@127.0.0.1:${controller}`],
      `listeners=PLAINTEXT://127.0.0.1:${port},LOGIN://127.0.0.1:${login},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${advertised?.advertisedPort ?? port},LOGIN://127.0.0.1:${login}`,
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      ...['controller.listener.names=CONTROLLER', 'inter.broker.listener.name=PLAINTEXT', `log.dirs=${join(directory, 'logs')}`],
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      `listener.name.login.plain.sasl.jaas.config=${plain}`,
      ...['256', '512'].map(
        size =>
          `listener.name.login.scram-sha-${size}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
      ),
      ...['offsets.topic.replication.factor=1', 'offsets.topic.num.partitions=1', 'group.initial.rebalance.delay.ms=0'],
      ...['transaction.state.log.replication.factor=1', 'transaction.state.log.min.isr=1', 'auto.create.topics.enable=false', ''],
    ].join('\n'),
  )
  const quiet = '<Configuration><Loggers><Root level="error"/></Loggers></Configuration>'
  const java = [
    '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${file('log.xml', quiet)}`,
    '-cp',
    classes,
  ]
  const run = async (words: readonly string[], input?: string) => {
    const result = await runCommand('java', [...java, ...words], input === undefined ? {} : { input })
    if (result.code !== 0) throw new Error(`Kafka, ${words[0]}: ${result.stdout}${result.stderr}`.slice(-1_500))
  }
  const users = ['256', '512'].flatMap(size => ['--add-scram', `SCRAM-SHA-${size}=[name=worker,password=of-the-server]`])
  await run(['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', settings, ...users])
  await started(stack, 'java', [...java, 'kafka.Kafka', settings], port)
  const at = ['--bootstrap-server', `127.0.0.1:${advertised?.advertisedPort ?? port}`]
  const tools = 'org.apache.kafka.tools'
  await run([`${tools}.TopicCommand`, ...at, '--create', '--topic', 'jobs', '--partitions', '4', '--replication-factor', '1'])
  // Keys choose partitions.
  const messages = ['a:1', 'a:2', 'a:3', 'a:4', 'b:1', 'b:2']
  const keyed = ['--property', 'parse.key=true', '--property', 'key.separator=:']
  await run([`${tools}.ConsoleProducer`, ...at, '--topic', 'jobs', ...keyed], `${messages.join('\n')}\n`)
  const group = [`${tools}.consumer.group.ConsumerGroupCommand`, ...at, '--group', 'workers', '--reset-offsets', '--execute']
  await run([...group, '--topic', 'jobs:0,1,2', '--to-earliest'])
  const moved = stack.move()
  const places = { port, address: `127.0.0.1:${port}`, sasl: `127.0.0.1:${login}` }
  return { ...places, version: `Kafka ${version}`, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
