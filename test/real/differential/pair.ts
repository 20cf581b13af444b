// Two servers that are asked the same, request by request.
import { systemClock } from '#kube/clock.ts'
import { decodeProtobuf } from '#twin/api/decoding/protobuf.ts'
import { jsonText, numberAt, textAt } from '#twin/json-value.ts'
import { comparableAnswer } from '../bad-input/case.ts'
import { protobufType } from '../bad-input/requests.ts'
import type { WireAnswer, WireRequest } from '../bad-input/wire.ts'
import { type Answer, type Finding, findingsOf } from './findings.ts'
import { type DifferentialRequest, type Life, Said } from './request.ts'

export interface Side {
  send(request: WireRequest): Promise<WireAnswer>
}

export interface Pair {
  readonly real: Side
  readonly twin: Side
}

export interface Exchange {
  readonly request: DifferentialRequest
  readonly real: Answer
  readonly twin: Answer
  readonly findings: readonly Finding[]
}

/** Asks both servers all of a life, up to the first request that one of them refuses and the other takes: what follows would differ for it. */
export async function askBoth(life: Life, number: number, { real, twin }: Pair): Promise<readonly Exchange[]> {
  const [before, after] = [new Said(life, number), new Said(life, number)]
  const exchanges: Exchange[] = []
  for (const request of life.requests) {
    if (request.afterRefusal === true && (exchanges.at(-1)?.real.status ?? 0) < 300) continue
    const [left, right] = await Promise.all([ask(real, before, request), ask(twin, after, request)])
    const findings = isForgotten(request, left) ? [] : findingsOf(left, right)
    exchanges.push({ request, real: left, twin: right, findings })
    if (request.verb === 'POST' && left.status < 300) await settle(life, request, [real, before])
    if (findings.some(({ way }) => way === 'refused' || way === 'taken')) break
  }
  return exchanges
}

/**
 * Whether a watch from the first version of all found it gone. A real server's cache has the last hundred changes of a kind, and grows
 * beyond only while these are younger than 75 seconds: whether it still has the first depends on how fast the run is. Clients list again.
 */
function isForgotten({ path }: DifferentialRequest, { answer }: Answer): boolean {
  return (
    /[?&]watch=true&.*resourceVersion=1&/.test(path) &&
    textAt(answer, 'type') === 'ERROR' &&
    numberAt(answer, 'object', 'code') === 410
  )
}

/** Kinds whose objects the real server goes on writing after they were made, and the last that it writes. */
const settling: Readonly<Record<string, string>> = {
  'APIService.apiregistration.k8s.io/v1': '"Available"',
  'CustomResourceDefinition.apiextensions.k8s.io/v1': '"Established"',
}
const mostReads = 40
const readPauseMs = 25

/** Waits until the server has written what it adds to a new object, a second at most. */
async function settle({ kind }: Life, { path }: DifferentialRequest, [side, said]: readonly [Side, Said]): Promise<void> {
  const wanted = settling[kind]
  if (wanted === undefined || path.includes('dryRun')) return
  for (let read = 0; read < mostReads; read++) {
    const answer = await side.send(said.wire({ verb: 'GET', path: `${path.split('?')[0]}/{{name}}` }))
    said.learn(answer)
    if (answer.status !== 200 || answer.text.includes(wanted)) return
    await systemClock.after(readPauseMs)
  }
}

/** The answer of one server, which is remembered for the requests that follow. */
export async function ask(side: Side, said: Said, request: DifferentialRequest): Promise<Answer> {
  const answer = readable(await side.send(said.wire(request)))
  said.learn(answer)
  return steady(comparableAnswer(answer, true))
}

/** An object that came in protobuf as JSON. */
function readable(answer: WireAnswer): WireAnswer {
  const isMessage = String(answer.headers['content-type']).startsWith(protobufType) && answer.status === 200
  if (!isMessage || answer.bytes === undefined) return answer
  return { ...answer, text: jsonText(decodeProtobuf(answer.bytes, { kind: '', group: '', version: '' })) }
}

/** What no two servers share made equal: ages, drawn names, revisions in words, who the administrator is, and what comes in no order. */
function steady(answer: Answer): Answer {
  const text = JSON.stringify(answer)
    .replaceAll(/(?<=[[,])"(\d+s|<invalid>)"/g, '"AGE"')
    .replaceAll(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-DRAWN')
    .replaceAll(/("continue":)"[^"]+"/g, '$1"TOKEN"')
    .replaceAll(/(ResourceVersion in (?:the precondition|record)) \(\d+\)/g, '$1 (VERSION)')
    .replaceAll(/(ResourceVersion in object meta:) \d+/g, '$1 VERSION')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=DIGEST')
    .replaceAll(/too old resource version: \d+ \(\d+\)/g, 'too old resource version: VERSION')
    .replaceAll(/("token":)"[^"]+"/g, '$1"TOKEN"')
    .replaceAll('"ballast-admin"', '"admin"')
  return inOrder(JSON.parse(text, undrawn) as Answer)
}

const longestBase = 58

/** A name that the server drew. */
function undrawn(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('generateName' in value) || !('name' in value)) return value
  const [base, name] = [String(value.generateName).slice(0, longestBase), String(value.name)]
  return base !== '' && name.startsWith(base) && name.length === base.length + 5 ? { ...value, name: `${base}DRAWN` } : value
}

/** Rules are told in the order in which a Go map yields them. */
function inOrder(answer: Answer): Answer {
  const body = answer.answer
  if (typeof body !== 'object' || body === null || !('kind' in body) || body.kind !== 'SelfSubjectRulesReview') return answer
  const sorted = (_name: string, value: unknown): unknown =>
    Array.isArray(value)
      ? value
          .map(item => JSON.stringify(item))
          .toSorted()
          .map(item => JSON.parse(item))
      : value
  return { ...answer, answer: JSON.parse(JSON.stringify(body), sorted) }
}
