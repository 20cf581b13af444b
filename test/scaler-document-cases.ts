// What the scalers of MongoDB and Temporal read from real servers (test/real/scalers/document-servers.ts), and of MongoDB from what one
// answered when it was recorded.
import type { ScalerCase } from './scaler-cases.ts'

const counted = (
  name: string,
  query: object,
  expected: number | RegExp,
  more: Readonly<Record<string, string>> = {},
): ScalerCase => ({
  ...{ name, type: 'mongodb', metric: `s0-mongodb-${more['collection'] ?? 'jobs'}`, expected },
  metadata: () => ({ dbName: 'work', collection: 'jobs', query: JSON.stringify(query), queryValue: '5', ...more }),
  auth: address => ({ connectionString: `mongodb://${address}/` }),
})

/** Seven jobs wait and three are done; the age of each is its number. */
export const mongoCases: readonly ScalerCase[] = [
  counted('what waits', { state: 'waiting' }, 7),
  counted('what is done, of some age', { state: 'done', age: { $gte: 8 } }, 2),
  counted('a long number', { age: { $numberLong: '4' } }, 1),
  counted('no such state', { state: 'lost' }, 0),
  counted('no such collection', { state: 'waiting' }, 0, { collection: 'none' }),
  counted('an operator that there is not', { age: { $near0: 1 } }, /^MongoDB: BadValue \(2\)$/),
]

const login = (name: string, credentials: string, query: string, expected: number | RegExp): ScalerCase => ({
  ...counted(name, { state: 'waiting' }, expected),
  auth: address => ({ connectionString: `mongodb://${credentials}${address}/?${query}` }),
})
export const mongoLogin = { username: 'worker', password: 'of the: server/' }
const credentials = `${mongoLogin.username}:${encodeURIComponent(mongoLogin.password)}@`

/** The same server, which asks who we are. */
export const mongoLoginCases: readonly ScalerCase[] = [
  login('a login by what the server knows', credentials, 'authSource=people', 7),
  login('by the older way', credentials, 'authSource=people&authMechanism=SCRAM-SHA-1', 7),
  login('a wrong password', 'worker:hunter2@', 'authSource=people', /^MongoDB: AuthenticationFailed \(18\)$/),
  login('another database of users', credentials, '', /^MongoDB: AuthenticationFailed \(18\)$/),
  login('no login', '', '', /^MongoDB: (AuthenticationFailed|Unauthorized) \(\d+\)$/),
]

const waiting = (
  name: string,
  taskQueue: string,
  more: Readonly<Record<string, string>>,
  expected: number | RegExp,
): ScalerCase => ({
  ...{ name, type: 'temporal', metric: `s0-temporal-${more['namespace'] ?? 'default'}-${taskQueue}`, expected },
  metadata: endpoint => ({ endpoint, taskQueue, ...more }),
})

/** Four workflows wait for a worker that never comes. */
export const temporalCases: readonly ScalerCase[] = [
  waiting('a queue', 'jobs', {}, 4),
  waiting('its workflows', 'jobs', { queueTypes: 'workflow' }, 4),
  waiting('its activities', 'jobs', { queueTypes: 'activity,nexus' }, 0),
  waiting('an empty queue', 'none', { includeRunningWorkflowCount: 'true' }, 0),
  waiting('no such namespace', 'jobs', { namespace: 'other' }, /^Temporal at .*: DescribeTaskQueue: .*other/),
]
