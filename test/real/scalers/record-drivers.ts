// Records connections to real servers with protocols of their own in `test/fixtures/scalers`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { amqpCases, beanstalkdCases, kafkaCases } from '../../scaler-broker-cases.ts'
import type { ScalerCase } from '../../scaler-cases.ts'
import { recordingConnections } from '../../scaler-connections.ts'
import { mysqlCases, postgresCases } from '../../scaler-database-cases.ts'
import { mongoCases } from '../../scaler-document-cases.ts'
import { differenceOf } from '../../scaler-reading.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { startBeanstalkd, startRabbit } from './broker-servers.ts'
import { startMariadb, startPostgres } from './database-servers.ts'
import { startFerret } from './document-servers.ts'
import { startKafka } from './kafka-server.ts'
import type { RealServer } from './servers.ts'

const { signal } = new AbortController()
const directory = join(import.meta.dirname, '..', '..', 'fixtures', 'scalers')

/** RabbitMQ greets with the names of its node; the length stays, since it is counted. */
const withoutNames = (answer: string): string => answer.replace(/scalers\d+@[\w.-]+/g, name => '-'.repeat(name.length))

async function recorded(
  name: string,
  start: () => Promise<RealServer>,
  cases: readonly ScalerCase[],
  withoutMachine?: (answer: string) => string,
): Promise<void> {
  await using server = await start()
  await using proxy = await recordingConnections(server.port, withoutMachine)
  for (const one of cases) {
    const difference = await differenceOf(one, proxy.address, signal)
    if (difference !== undefined) throw new Error(difference)
  }
  const command = 'node test/real/scalers/record-drivers.ts'
  const text = JSON.stringify({ version: server.version, command, connections: proxy.connections() }, null, 1)
  writeFileSync(join(directory, `${name}.json`), `${text}\n`)
}

const only = new Set(process.argv.slice(2))
const all: readonly Parameters<typeof recorded>[] = [
  ['postgresql', startPostgres, postgresCases],
  ['mariadb', startMariadb, mysqlCases],
  ['rabbitmq', startRabbit, amqpCases, withoutNames],
  ['beanstalkd', startBeanstalkd, beanstalkdCases],
  ['ferretdb', startFerret, mongoCases],
]
for (const one of all) if (only.size === 0 || only.has(one[0])) await recorded(...one)
if (only.size === 0 || only.has('kafka')) {
  // It names its own place: that of the one that records.
  const port = await freePort()
  await using proxy = await recordingConnections(port)
  const advertisedPort = Number(proxy.address.replace(/.*:/, ''))
  await using server = await startKafka({ port, advertisedPort })
  const before = proxy.connections().length
  for (const one of kafkaCases) {
    const difference = await differenceOf(one, proxy.address, signal)
    if (difference !== undefined) throw new Error(difference)
  }
  const command = 'node test/real/scalers/record-drivers.ts'
  const connections = proxy.connections().slice(before)
  const text = JSON.stringify({ version: server.version, command, port: advertisedPort, connections }, null, 1)
  writeFileSync(join(directory, 'kafka.json'), `${text}\n`)
}
