// Scalers with a protocol of their own read what real servers answered, and come to what they came to there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { amqpCases, beanstalkdCases, kafkaCases } from './scaler-broker-cases.ts'
import type { ScalerCase } from './scaler-cases.ts'
import { type RecordedConnections, replayedConnections } from './scaler-connections.ts'
import { mysqlCases, postgresCases } from './scaler-database-cases.ts'
import { mongoCases } from './scaler-document-cases.ts'
import { differenceOf } from './scaler-reading.ts'

const { signal } = new AbortController()

test.each<[string, readonly ScalerCase[]]>([
  ['postgresql', postgresCases],
  ['mariadb', mysqlCases],
  ['rabbitmq', amqpCases],
  ['beanstalkd', beanstalkdCases],
  ['kafka', kafkaCases],
  ['ferretdb', mongoCases],
])('%s, as recorded', async (name, cases) => {
  const text = readFileSync(join(import.meta.dirname, 'fixtures', 'scalers', `${name}.json`), 'utf8')
  await using server = await replayedConnections(JSON.parse(text) as RecordedConnections)
  const differences: string[] = []
  // In the order in which they were recorded: connections are told apart by it.
  for (const one of cases) {
    const difference = await differenceOf(one, server.address, signal)
    if (difference !== undefined) differences.push(difference)
  }
  expect(differences).toEqual([])
})
