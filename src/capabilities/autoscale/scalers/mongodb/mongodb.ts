// How many documents of a collection of MongoDB match.
import { type Document, EJSON } from 'bson'
import {
  defaulted,
  float,
  here,
  oneOf,
  optional,
  readParameters,
  required,
  secret,
  secretHereOrEnv,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import type { StreamPlace } from '../byte-stream.ts'
import { answerMs, KeptConnection } from '../kept-connection.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { type MongoPlace, mongoPlace, mostMongoServers, singleMongoPlace } from './mongodb-place.ts'
import { MongoSession } from './mongodb-session.ts'

const parameters = {
  dbName: required(text, secretOrHere('the database')),
  collection: required(text, here('the collection')),
  query: required(text, here('what documents match, in extended JSON')),
  queryValue: required(float, here('amount aimed at')),
  activationQueryValue: defaulted(float, '0', here('active above it')),
  connectionString: optional(text, secretHereOrEnv('mongodb://me:password@db:27017/jobs')),
  scheme: defaulted(text, 'mongodb', secretOrHere('mongodb, or mongodb+srv: servers by DNS')),
  host: optional(text, secretOrHere('of the server, where no connectionString is given')),
  port: optional(text, secretOrHere('of the server')),
  username: optional(text, secretOrHere('of the user')),
  password: optional(text, secretHereOrEnv('of the user')),
  tls: defaulted(oneOf('enable', 'disable'), 'disable', secret('with cert, key or ca')),
  cert: optional(text, secret('PEM')),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
  ca: optional(text, secret('whom we trust, PEM')),
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

export const mongodb: ScalerKind = {
  types: ['mongodb'],
  about: 'how many documents of a collection of MongoDB match',
  parameters,
  async open(trigger, { clock, outgoing }) {
    const given = readParameters(parameters, trigger.given, 'mongodb')
    const { connectionString, dbName: database, collection } = given
    const place = connectionString === undefined ? singleMongoPlace(given) : mongoPlace(connectionString)
    const [tls, filter, mostMs] = [tlsOf(given, place), filterOf(given.query), answerMs(outgoing)]
    const kept = new KeptConnection({
      ...{ clock, outgoing, who: 'MongoDB' },
      connectMs: outgoing.timeoutMs * (place.isSrv ? mostMongoServers : place.servers.length),
      open: signal => MongoSession.open(place, { clock, outgoing, tls }, signal),
    })
    const question = { database, collection, filter, readPreference: place.readPreference, mostMs }
    return oneMetric(trigger, {
      ...{ tail: `mongodb-${collection}`, target: given.queryValue, activation: given.activationQueryValue },
      read: signal => kept.ask(session => session.count(question), signal),
      close: async () => kept[Symbol.dispose](),
    })
  },
}

function tlsOf({ tls, cert, key, keyPassword, ca }: Given, place: MongoPlace): StreamPlace['tls'] {
  if (tls === 'disable') return place.tls
  if (cert === undefined && key === undefined && ca === undefined)
    throw new TriggerProblem('at least one of cert, key, or ca must be provided when TLS is enabled')
  if ((cert === undefined) !== (key === undefined))
    throw new TriggerProblem('both cert and key must be provided when using client certificates')
  return { authority: ca, certificate: cert, key, passphrase: keyPassword }
}

function filterOf(query: string): Document {
  let filter: unknown
  try {
    filter = EJSON.parse(query, { relaxed: false })
  } catch {
    // The library's own words show the query.
    throw new TriggerProblem(`query is no extended JSON: expected one such as {"state":"waiting"}`)
  }
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter) || Object.keys(filter).length === 0)
    throw new TriggerProblem('query: empty bson document')
  return filter
}
