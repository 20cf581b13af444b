// The newest value of a metric of AWS CloudWatch, or of an expression over some.
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { at, listAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  float,
  here,
  integer,
  listOf,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { numberOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { awsAddress, awsLogin, awsParameters, awsSigned, awsSuccess } from './aws-api.ts'

const parameters = {
  namespace: optional(text, here('of the metric')),
  metricName: optional(text, here('of the metric')),
  dimensionName: optional(listOf(text, ';'), here('names of its dimensions, between semicolons')),
  dimensionValue: optional(listOf(text, ';'), here('their values, in the same order')),
  expression: optional(text, here('in place of namespace, metricName and dimensions')),
  targetMetricValue: required(float, here('amount aimed at')),
  activationTargetMetricValue: defaulted(float, '0', here('active above it')),
  minMetricValue: required(float, here('counts where there is no value')),
  ignoreNullValues: defaulted(boolean, 'true', here('otherwise no value is an error')),
  metricCollectionTime: defaulted(integer, '300', here('seconds that are looked at; a multiple of metricStatPeriod')),
  metricStat: defaulted(text, 'Average', here('statistic of a period')),
  metricUnit: optional(text, here('of the metric')),
  metricStatPeriod: defaulted(integer, '300', here('seconds of a period')),
  metricEndTimeOffset: defaulted(integer, '0', here('seconds before now at which it ends')),
  awsAccountId: optional(text, here('the account that has the metric')),
  ...awsParameters,
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

const sizes = [
  'Bytes',
  'Kilobytes',
  'Megabytes',
  'Gigabytes',
  'Terabytes',
  'Bits',
  'Kilobits',
  'Megabits',
  'Gigabits',
  'Terabits',
]
const units = new Set([
  ...['Seconds', 'Microseconds', 'Milliseconds', 'Percent', 'Count', 'Count/Second', 'None'],
  ...sizes.flatMap(size => [size, `${size}/Second`]),
])

export const awsCloudwatch: ScalerKind = {
  types: ['aws-cloudwatch'],
  about: 'the newest value of a metric of AWS CloudWatch',
  parameters,
  async open(trigger, { outgoing, clock }) {
    const given = checked(readParameters(parameters, trigger.given, 'aws-cloudwatch'))
    const login = awsLogin(given)
    const url = awsAddress('monitoring', given)
    const http = outgoing.http({})
    const kind = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', accept: 'text/xml' }
    const read = async (signal: AbortSignal) => {
      const nowMs = clock.now()
      const body = new URLSearchParams({ ...windowOf(given, nowMs), ...queryOf(given) }).toString()
      const question = { url, method: 'POST', headers: kind, body } as const
      const headers = awsSigned({ ...question, region: given.awsRegion, service: 'monitoring', nowMs }, login)
      const answer = awsSuccess(await http.ask(url, { method: 'POST', headers, body, signal }), 'CloudWatch')
      return newestIn(answer.body.toString(), given)
    }
    return oneMetric(trigger, {
      ...{ tail: 'aws-cloudwatch', target: given.targetMetricValue, activation: given.activationTargetMetricValue, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function checked(given: Given): Given {
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const { expression, namespace, metricName, dimensionName, dimensionValue, metricUnit } = given
  if (expression === undefined) {
    if (namespace === undefined) refuse('namespace not given')
    if (metricName === undefined) refuse('metric name not given')
    if (dimensionName === undefined) refuse('dimension name not given')
    if (dimensionValue === undefined) refuse('dimension value not given')
    if (dimensionName?.length !== dimensionValue?.length) refuse('dimensionName and dimensionValue are not matching in size')
    if (metricUnit !== undefined && !units.has(metricUnit))
      refuse(`metricUnit '${metricUnit}' is not one of ${[...units].join(' ')}`)
  }
  const { metricStatPeriod: period, metricCollectionTime: time } = given
  if (period < 1) refuse(`metricStatPeriod can not be smaller than 1, however, ${period} is provided`)
  if (period <= 60 && ![1, 5, 10, 30, 60].includes(period))
    refuse(`metricStatPeriod < 60 has to be one of [1, 5, 10, 30], however, ${period} is provided`)
  if (period > 60 && period % 60 !== 0)
    refuse(`metricStatPeriod >= 60 has to be a multiple of 60, however, ${period} is provided`)
  if (time < 0 || time % period !== 0)
    refuse(`metricCollectionTime must be greater than 0 and a multiple of metricStatPeriod(${period}), ${time} is given`)
  return given
}

/** From the beginning of the first year to 1970: whole periods are counted from there. */
const secondsBefore1970 = 62_135_596_800

function windowOf(
  { metricStatPeriod, metricEndTimeOffset, metricCollectionTime }: Given,
  nowMs: number,
): Readonly<Record<string, string>> {
  const wanted = Math.floor(nowMs / 1_000) - metricEndTimeOffset
  const end = wanted - ((wanted + secondsBefore1970) % metricStatPeriod)
  const written = (seconds: number) => new Date(seconds * 1_000).toISOString().replace(/\.\d+/, '')
  return { StartTime: written(end - metricCollectionTime), EndTime: written(end), ScanBy: 'TimestampDescending' }
}

function queryOf(given: Given): Readonly<Record<string, string>> {
  const { expression, namespace = '', metricName = '', dimensionName = [], dimensionValue = [] } = given
  const query = 'MetricDataQueries.member.1'
  const stat = `${query}.MetricStat`
  const period = String(given.metricStatPeriod)
  const asked: Readonly<Record<string, string>> =
    expression !== undefined
      ? { [`${query}.Id`]: 'q1', [`${query}.Expression`]: expression, [`${query}.Period`]: period }
      : {
          ...{ [`${query}.Id`]: 'c1', [`${query}.ReturnData`]: 'true' },
          ...{ [`${stat}.Metric.Namespace`]: namespace, [`${stat}.Metric.MetricName`]: metricName },
          ...Object.fromEntries(
            dimensionName.flatMap((name, index) => {
              const dimension = `${stat}.Metric.Dimensions.member.${index + 1}`
              return [
                [`${dimension}.Name`, name],
                [`${dimension}.Value`, dimensionValue[index] ?? ''],
              ]
            }),
          ),
          ...{ [`${stat}.Period`]: period, [`${stat}.Stat`]: given.metricStat },
          ...(given.metricUnit === undefined ? {} : { [`${stat}.Unit`]: given.metricUnit }),
        }
  const account = given.awsAccountId === undefined ? {} : { [`${query}.AccountId`]: given.awsAccountId }
  return { Action: 'GetMetricData', Version: '2010-08-01', ...asked, ...account }
}

/** Characters of an answer: one metric has far fewer. */
const mostCharacters = 64 * 1024

/** The newest comes first. */
function newestIn(xml: string, { ignoreNullValues, minMetricValue }: Given): number {
  if (xml.length > mostCharacters) throw new AnswerError(`CloudWatch answered with more than ${mostCharacters} characters`)
  if (XMLValidator.validate(xml) !== true) throw new AnswerError('CloudWatch answered with no XML')
  const parser = new XMLParser({ parseTagValue: false, processEntities: false, isArray: name => name === 'member' })
  const found = at(parser.parse(xml), 'GetMetricDataResponse', 'GetMetricDataResult')
  if (found === undefined) throw new AnswerError('CloudWatch answered without a result')
  const [first] = listAt(found, 'MetricDataResults', 'member')
  // The service could not tell: that is not the same as no value. What it has so far (PartialData) counts.
  const code = at(first, 'StatusCode')
  if (code === 'InternalError' || code === 'Forbidden') throw new AnswerError(`CloudWatch answered with ${code}`)
  const values = listAt(first, 'Values', 'member')
  if (values.length > 0) return numberOf(values[0], 'the newest value')
  if (first !== undefined && !ignoreNullValues)
    throw new AnswerError('empty metric data received, ignoreNullValues is false, returning error')
  return minMetricValue
}
