// How many messages a queue of AWS SQS has.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  here,
  hereOrEnv,
  integer,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { decoded, jsonOf, numberOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { awsAddress, awsLogin, awsParameters, awsSigned, awsSuccess } from './aws-api.ts'

const parameters = {
  queueURL: required(text, hereOrEnv('of the queue, or its name')),
  queueLength: defaulted(integer, '5', here('amount aimed at')),
  activationQueueLength: defaulted(integer, '0', here('active above it')),
  scaleOnInFlight: defaulted(boolean, 'true', here('messages that consumers hold count too')),
  scaleOnDelayed: defaulted(boolean, 'false', here('messages that are not to be seen yet count too')),
  ...awsParameters,
}

export const awsSqsQueue: ScalerKind = {
  types: ['aws-sqs-queue'],
  about: 'messages in a queue of AWS SQS',
  parameters,
  async open(trigger, { outgoing, clock }) {
    const given = readParameters(parameters, trigger.given, 'aws-sqs-queue')
    const name = queueName(given.queueURL)
    const login = awsLogin(given)
    const url = awsAddress('sqs', given)
    const counted = [
      'ApproximateNumberOfMessages',
      ...(given.scaleOnInFlight ? ['ApproximateNumberOfMessagesNotVisible'] : []),
      ...(given.scaleOnDelayed ? ['ApproximateNumberOfMessagesDelayed'] : []),
    ]
    const body = JSON.stringify({ QueueUrl: given.queueURL, AttributeNames: counted })
    const kind = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.GetQueueAttributes' }
    const http = outgoing.http({})
    const read = async (signal: AbortSignal) => {
      const question = { url, method: 'POST', headers: kind, body } as const
      const headers = awsSigned({ ...question, region: given.awsRegion, service: 'sqs', nowMs: clock.now() }, login)
      const answer = jsonOf(awsSuccess(await http.ask(url, { method: 'POST', headers, body, signal }), 'SQS'), 'SQS')
      return counted.reduce((sum, one) => {
        const found = at(answer, 'Attributes', one)
        if (found === undefined) throw new AnswerError(`metric ${one} not found in SQS queue attributes`)
        return sum + numberOf(found, one)
      }, 0)
    }
    return oneMetric(trigger, {
      ...{ tail: `aws-sqs-${name}`, target: given.queueLength, activation: given.activationQueueLength, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

/** What is no address is a name. */
function queueName(written: string): string {
  if (!URL.canParse(written) && !written.startsWith('/')) return written
  const parts = new URL(written, 'http://none').pathname.split('/')
  if (parts.length !== 3 || parts[2] === undefined || parts[2] === '')
    throw new TriggerProblem('cannot get queueName from queueURL')
  return decoded(parts[2], 'queueURL')
}
