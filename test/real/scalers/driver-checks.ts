// Scalers with a protocol of their own against the servers that they are for.

import { amqpCases, beanstalkdCases, kafkaCases, kafkaLoginCases, managementCases } from '../../scaler-broker-cases.ts'
import { mysqlCases, mysqlLoginCases, postgresCases, postgresLoginCases } from '../../scaler-database-cases.ts'
import { mongoCases, mongoLoginCases, temporalCases } from '../../scaler-document-cases.ts'
import type { Check } from '../check.ts'
import { startBeanstalkd, startRabbit } from './broker-servers.ts'
import { held } from './checks.ts'
import { startMariadb, startPostgres } from './database-servers.ts'
import { startFerret, startTemporal } from './document-servers.ts'
import { startKafka } from './kafka-server.ts'

export const driverChecks: readonly Check[] = [
  {
    name: 'scalers ask a PostgreSQL',
    async run() {
      await using server = await startPostgres()
      return await held([...postgresCases, ...postgresLoginCases], server)
    },
  },
  {
    name: 'scalers ask a MariaDB',
    async run() {
      await using server = await startMariadb()
      return await held([...mysqlCases, ...mysqlLoginCases], server)
    },
  },
  {
    name: 'scalers ask a RabbitMQ, by AMQP and by its management API',
    async run() {
      await using server = await startRabbit()
      await held(managementCases, { ...server, address: server.management })
      return await held(amqpCases, server)
    },
  },
  {
    name: 'scalers ask a beanstalkd',
    async run() {
      await using server = await startBeanstalkd()
      return await held(beanstalkdCases, server)
    },
  },
  {
    name: 'scalers ask a Kafka',
    async run() {
      await using server = await startKafka()
      await held(kafkaLoginCases, { ...server, address: server.sasl })
      return await held(kafkaCases, server)
    },
  },
  {
    name: 'scalers ask a FerretDB as a MongoDB',
    async run() {
      await using server = await startFerret()
      await using closed = await startFerret({ hasLogin: true })
      await held(mongoLoginCases, closed)
      return await held(mongoCases, server)
    },
  },
  {
    name: 'scalers ask a Temporal',
    async run() {
      await using server = await startTemporal()
      return await held(temporalCases, server)
    },
  },
]
