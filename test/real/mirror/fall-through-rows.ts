// What a mirror may answer, row by row, and what containerd does then: the table that our front's answers are chosen by.
import type { Answer, Asked, Script } from './laboratory/scripted-registry.ts'

export interface Row {
  readonly name: string
  readonly script: Script
  /** Milliseconds after which a pull that has not ended is said to wait; its connections are let go then. */
  readonly patienceMs?: number
  /** The mirror's port is closed. */
  readonly isDown?: true
}

const always =
  (answer: Answer): Script =>
  () =>
    answer
const serve: Answer = { kind: 'serve' }
const missing: Answer = { kind: 'status', status: 404 }
const status = (code: number, headers?: Readonly<Record<string, string>>): Answer =>
  headers === undefined ? { kind: 'status', status: code } : { kind: 'status', status: code, headers }
const on =
  (answers: Readonly<Record<Asked, Answer>>, others: Answer = serve): Script =>
  asked =>
    answers[asked] ?? others

/** Bytes of the layer before the connection is cut. */
const cutAfter = 50_000
const patienceMs = 3_000
const nobodyHas = `sha256:${'5'.repeat(64)}`

export const rows: readonly Row[] = [
  { name: 'serves', script: always(serve) },
  { name: '404', script: always(missing) },
  { name: '404 to blobs', script: on({ 'GET layer': missing, 'GET config': missing }) },
  { name: '401 without a challenge', script: always(status(401)) },
  {
    name: '401 with a challenge that cannot be met',
    script: always(status(401, { 'www-authenticate': 'Basic realm="ballast"' })),
  },
  { name: '403', script: always(status(403)) },
  { name: '405 to HEAD of a tag', script: on({ 'HEAD tag': status(405) }) },
  { name: '405 to everything', script: always(status(405)) },
  { name: '408', script: always(status(408)) },
  { name: '416 to everything', script: always(status(416)) },
  { name: '429', script: always(status(429)) },
  ...[500, 503, 504].map(code => ({ name: String(code), script: always(status(code)) })),
  { name: 'connection refused', script: always(serve), isDown: true },
  { name: 'reset before headers', script: always({ kind: 'reset' }) },
  { name: 'silence', script: always({ kind: 'silence' }), patienceMs },
  { name: 'tag without digest and length', script: on({ 'HEAD tag': { kind: 'serve', without: ['docker-content-digest'] } }) },
  {
    name: 'tag with a digest that nobody has',
    script: on({ 'HEAD tag': { kind: 'serve', headers: { 'docker-content-digest': nobodyHas } } }),
  },
  { name: 'manifest with a turned bit', script: on({ 'GET manifest': { kind: 'flip' } }) },
  { name: 'layer with a turned bit', script: on({ 'GET layer': { kind: 'flip' } }) },
  { name: 'layer cut, then the rest', script: on({ 'GET layer': { kind: 'cut', after: cutAfter } }) },
  { name: 'layer cut, then 404', script: on({ 'GET layer': { kind: 'cut', after: cutAfter }, 'GET layer range': missing }) },
  { name: 'layer cut, then 416', script: on({ 'GET layer': { kind: 'cut', after: cutAfter }, 'GET layer range': status(416) }) },
  {
    name: 'layer cut, and again each time without a byte',
    script: on({ 'GET layer': { kind: 'cut', after: cutAfter }, 'GET layer range': { kind: 'cut', after: 0 } }),
  },
  {
    name: 'layer cut, and again each time after 1000 bytes',
    script: on({ 'GET layer': { kind: 'cut', after: cutAfter }, 'GET layer range': { kind: 'cut', after: 1_000 } }),
  },
]
