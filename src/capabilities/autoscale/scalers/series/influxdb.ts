// The first value of a query of InfluxDB: Flux at version 2, InfluxQL or SQL at version 3, by the API of HTTP that each has.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  envOrSecret,
  float,
  here,
  hereEnvOrSecret,
  hereOrSecret,
  oneOf,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { jsonOf, numberOf, type SourceHttp, successOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { fluxValue } from './flux-csv.ts'

const parameters = {
  serverURL: required(text, hereOrSecret('address of the server, such as http://influxdb.monitoring:8086')),
  organizationName: optional(text, hereEnvOrSecret('of version 2: the organization')),
  query: required(text, here('the first value of the first row counts')),
  thresholdValue: optional(float, here('amount aimed at; not 0')),
  activationThresholdValue: defaulted(float, '0', here('active above it')),
  influxVersion: defaulted(oneOf('2', '3'), '2', here('of the server')),
  queryType: defaulted(text, 'InfluxQL', here('of version 3: InfluxQL or FlightSQL')),
  database: optional(text, hereOrSecret('of version 3')),
  metricKey: optional(text, here('of version 3: the column that counts')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  authToken: optional(text, envOrSecret('a token that may read')),
  authTokenHere: optional(text, {
    ...here('refused: a token is no part of a trigger'),
    names: ['authToken'],
    deprecated:
      "The 'authToken' setting from triggerMetadata is DEPRECATED and is removed in v2.20 - Use 'authToken' from resolvedEnv or authParams instead",
  }),
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

export const influxdb: ScalerKind = {
  types: ['influxdb'],
  about: 'the first value of a query of InfluxDB',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'influxdb')
    const { thresholdValue = 0, organizationName, database } = checked(given)
    const base = urlOf(given.serverURL)
    const http = outgoing.http({ isInsecure: given.unsafeSsl })
    const isThird = given.influxVersion === '3'
    return oneMetric(trigger, {
      ...{ tail: `influxdb-${(isThird ? database : organizationName) ?? ''}`, target: thresholdValue },
      activation: given.activationThresholdValue,
      read: signal => (isThird ? askThird(http, base, given, signal) : askSecond(http, base, given, signal)),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function checked(given: Given): Given {
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const { influxVersion, database, metricKey, organizationName, queryType, thresholdValue = 0 } = given
  if (influxVersion === '3') {
    if (database === undefined) refuse('database is required if influxVersion is 3')
    if (metricKey === undefined) refuse('metricKey is required if influxVersion is 3')
    if (!['influxql', 'flightsql'].includes(queryType.toLowerCase())) refuse("query type must be 'influxql' or 'flightsql'")
  } else if (organizationName === undefined) refuse('organizationName is required if influxVersion is 2')
  if (thresholdValue === 0) refuse('no threshold value given')
  return given
}

function below(base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`
  return url
}

async function askSecond(http: SourceHttp, base: URL, given: Given, signal: AbortSignal): Promise<number> {
  const url = below(base, '/api/v2/query')
  url.searchParams.set('org', given.organizationName ?? '')
  const headers = {
    'content-type': 'application/json',
    accept: 'text/csv',
    ...(given.authToken === undefined ? {} : { authorization: `Token ${given.authToken}` }),
  }
  const dialect = { annotations: ['datatype', 'group', 'default'], delimiter: ',', header: true }
  const body = JSON.stringify({ query: given.query, type: 'flux', dialect })
  return fluxValue(successOf(await http.ask(url, { method: 'POST', headers, body, signal }), 'InfluxDB').body.toString())
}

/** As upstream: of several rows the last counts, and none is 0. */
async function askThird(http: SourceHttp, base: URL, given: Given, signal: AbortSignal): Promise<number> {
  const { database: db, metricKey = '', query: q, queryType, authToken } = given
  const url = below(base, `/api/v3/query_${queryType.toLowerCase() === 'influxql' ? 'influxql' : 'sql'}`)
  const headers = {
    'content-type': 'application/json',
    ...(authToken === undefined ? {} : { authorization: `Bearer ${authToken}` }),
  }
  const body = JSON.stringify({ db, q, format: 'json' })
  const rows = jsonOf(successOf(await http.ask(url, { method: 'POST', headers, body, signal }), 'InfluxDB'), 'InfluxDB')
  if (!Array.isArray(rows)) throw new AnswerError('InfluxDB answered without a list of rows')
  const values = rows.map(row => {
    const value = at(row, metricKey)
    if (typeof value === 'string') throw new AnswerError(`${metricKey} is a text, not a number`)
    return numberOf(value, metricKey)
  })
  return values.at(-1) ?? 0
}
