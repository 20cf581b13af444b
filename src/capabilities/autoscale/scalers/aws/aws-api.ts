// Questions to services of AWS, signed as version 4 of its signatures wants it, and who signs them.
import { createHash, createHmac } from 'node:crypto'
import type { Answer } from '#kube/client/outgoing-http.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  here,
  hereOrSecret,
  NotInBallast,
  optional,
  required,
  secret,
  secretOrEnv,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { urlOf } from '../outgoing.ts'

export const awsParameters = {
  awsRegion: required(text, hereOrSecret('such as eu-west-1')),
  awsEndpoint: optional(text, here('in place of the address that AWS has there')),
  awsAccessKeyID: optional(text, {
    ...{ from: ['auth', 'metadata', 'env'], about: 'who signs' },
    names: ['awsAccessKeyID', 'awsAccessKeyId'],
  }),
  awsSecretAccessKey: optional(text, secretOrEnv('what is signed with')),
  awsSessionToken: optional(text, secret('of a login that ends')),
  awsRoleArn: optional(text, secret('refused: roles are not in Ballast yet')),
  identityOwner: optional(text, here('pod; operator is refused')),
}

interface GivenAws {
  readonly awsRegion: string
  readonly awsEndpoint: string | undefined
  readonly awsAccessKeyID: string | undefined
  readonly awsSecretAccessKey: string | undefined
  readonly awsSessionToken: string | undefined
  readonly awsRoleArn: string | undefined
  readonly identityOwner: string | undefined
}

interface AwsLogin {
  readonly keyId: string
  readonly secret: string
  readonly sessionToken: string | undefined
}

/** @throws TriggerProblem where nobody is named that we could sign as */
export function awsLogin({ awsAccessKeyID, awsSecretAccessKey, awsSessionToken, awsRoleArn, identityOwner }: GivenAws): AwsLogin {
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  if (identityOwner !== undefined && identityOwner !== 'pod')
    throw new NotInBallast(
      `identityOwner ${JSON.stringify(identityOwner)} is not in Ballast yet: give awsAccessKeyID and awsSecretAccessKey`,
    )
  if (awsRoleArn !== undefined)
    throw new NotInBallast('awsRoleArn is not in Ballast yet: give awsAccessKeyID and awsSecretAccessKey')
  return {
    keyId: awsAccessKeyID ?? refuse('awsAccessKeyID not found'),
    secret: awsSecretAccessKey ?? refuse('awsSecretAccessKey not found'),
    sessionToken: awsSessionToken,
  }
}

/** Where a service of a region is. @throws TriggerProblem */
export function awsAddress(host: string, { awsRegion, awsEndpoint }: GivenAws): URL {
  if (awsEndpoint !== undefined) return new URL(urlOf(awsEndpoint))
  if (!/^[a-z0-9-]{1,40}$/.test(awsRegion)) throw new TriggerProblem('awsRegion: expected a region such as eu-west-1')
  return new URL(`https://${host}.${awsRegion}.amazonaws.com${awsRegion.startsWith('cn-') ? '.cn' : ''}/`)
}

interface SignedQuestion {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly region: string
  readonly service: string
  readonly nowMs: number
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex')
const keyed = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** All headers that the question is to have. */
export function awsSigned(
  question: SignedQuestion,
  { keyId, secret: signingSecret, sessionToken }: AwsLogin,
): Record<string, string> {
  const { url, method, body, region, service, nowMs } = question
  const time = new Date(nowMs).toISOString().replaceAll(/[:-]|\.\d+/g, '')
  const headers: Record<string, string> = {
    ...question.headers,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  }
  const signedHeaders = Object.entries({ ...headers, host: url.host }).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = signedHeaders.map(([name]) => name).join(';')
  const canonical = [
    ...[method, url.pathname.split('/').map(rfc3986).join('/'), canonicalQuery(url)],
    ...signedHeaders.map(([name, value]) => `${name}:${value.trim().replaceAll(/ +/g, ' ')}`),
    ...['', names, hashed(body)],
  ].join('\n')
  const day = time.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(keyed, `AWS4${signingSecret}`)
  const signature = keyed(key, ['AWS4-HMAC-SHA256', time, scope, hashed(canonical)].join('\n')).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${keyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { ...headers, authorization }
}

const rfc3986 = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${rfc3986(name)}=${rfc3986(value)}`)
    .toSorted()
    .join('&')
}

/** @throws AnswerError with the status, and the code where AWS gives one */
export function awsSuccess(answer: Answer, who: string): Answer {
  if (answer.status === 200) return answer
  const said = answer.body.subarray(0, 4_096).toString()
  // A code is a word; what comes with it may hold names of accounts.
  const code = /"__type"\s*:\s*"(?:[\w.]*#)?(\w{1,80})"|<Code>([\w.]{1,80})<\/Code>/.exec(said)
  const word = code?.[1] ?? code?.[2]
  throw new AnswerError(`${who} answered with status ${answer.status}${word === undefined ? '' : `: ${word}`}`)
}
