// What every source of HTTP may do that means no good, tried on each type of trigger, and how a test reads one trigger.
import type { RequestListener } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { scalerKind } from '../registry.ts'
import { openedTrigger, scalerWorld } from './scaler-world.ts'
import { type SourceServer, saying, sourceServer } from './source-server.ts'

export type Texts = Readonly<Record<string, string>>

export interface SourceRow {
  readonly type: string
  readonly metadata: (url: string) => Texts
  readonly auth?: Texts
  /** It says 7. */
  readonly answer: RequestListener
  /** Its shape, with a word where the number would be. */
  readonly word?: RequestListener
  /** It knows no `authModes`. */
  readonly hasOwnAuth?: true
}

/** Where `prometheus`, `metrics-api`, `rabbitmq` and those like them look for a number. */
const wordForAll = saying(
  JSON.stringify({ jobs: { waiting: 'many' }, messages: 'many', data: { result: [{ value: [1, 'many'] }] } }),
)

/** A trigger, opened. @throws Error where it cannot be */
export async function opened(
  type: string,
  metadata: Texts,
  more: Parameters<typeof openedTrigger>[2],
  world: ReturnType<typeof scalerWorld>,
) {
  const kind = await scalerKind(type)
  if (kind === undefined) throw new Error(`no scaler ${type}`)
  return await kind.open(openedTrigger(type, metadata, more), world)
}

export const signal: AbortSignal = new AbortController().signal

/** The value that is read, or why there is none. */
export async function readOf(
  type: string,
  metadata: Texts,
  more: Parameters<typeof openedTrigger>[2] = {},
  options: Parameters<typeof scalerWorld>[0] = {},
) {
  await using world = scalerWorld({ timeoutMs: 2_000, ...options })
  try {
    await using scaler = await opened(type, metadata, more, world)
    const { values, isActive } = await scaler.read('m', signal)
    return [values[0]?.value, isActive] as const
  } catch (error) {
    return (error as Error).message
  }
}

/** A look-up that always comes to this address. */
export const names =
  (address: string): LookupFunction =>
  (_host, _options, done) =>
    done(null, [{ address, family: isIP(address) }])

/** A `describe` for each. */
export function describeSources(rows: readonly SourceRow[]): void {
describe.each(rows)('$type', ({ type, metadata, answer, word = wordForAll, auth = {}, hasOwnAuth }) => {
  test('what it reads', async () => {
    await using source = await sourceServer(answer)
    expect(await readOf(type, metadata(source.url), { auth })).toEqual([7, true])
  })

  test.each<[string, (source: SourceServer) => RequestListener, RegExp]>([
    ['a status of failure', () => saying('{}', 'application/json', 503), /503/],
    ['a page of HTML', () => saying('<html>sign in</html>', 'text/html'), /no (JSON|XML|annotated CSV)|without a result/],
    ['JSON of another shape', () => saying('{"other":[1]}'), /without|must point|missing|not found|no /],
    [
      'a word for a number',
      () => word,
      /many|not a number|a text of \d+ characters|not parseable|could not be converted|without (a list|workflow_runs|status)/,
    ],
    ['half a JSON', () => saying('{"jobs":'), /no (JSON|XML|annotated CSV)|without a result/],
    ['a connection that ends', () => (_request, response) => void response.destroy(), /closed|ECONNRESET|other side/],
    [
      'a redirect to data of a cloud',
      () => (_request, response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
      /another host/,
    ],
    [
      'a redirect for ever',
      () => (_request, response) => void response.writeHead(302, { location: '/again' }).end(),
      /redirects/,
    ],
  ])('%s is an error that says so, without the password', async (_name, hostile, message) => {
    const holder: { listener: RequestListener } = { listener: saying('') }
    await using source = await sourceServer((request, response) => holder.listener(request, response))
    holder.listener = hostile(source)
    const read = await readOf(type, metadata(source.url.replace('http://', 'http://me:hunter2@')), { auth })
    expect(read).toMatch(message)
    expect(read).not.toContain('hunter2')
  })

  test('a source that says nothing is given up in time', async () => {
    await using source = await sourceServer(() => undefined)
    expect(await readOf(type, metadata(source.url), { auth }, { timeoutMs: 50 })).toMatch(/no answer in 0.05 s/)
  })

  test('an address that may be reached is, by its name', async () => {
    await using source = await sourceServer(answer)
    const url = source.url.replace('127.0.0.1', 'source.media.svc')
    expect(await readOf(type, metadata(url), { auth }, { lookup: names('127.0.0.1') })).toEqual([7, true])
  })

  if (hasOwnAuth === true) return

  test.each([
    ['bearer', { token: 'secret' }, { authorization: 'Bearer secret' }],
    ['basic', { username: 'me', password: 'secret' }, { authorization: `Basic ${btoa('me:secret')}` }],
  ])('authModes %s', async (authModes, auth, headers) => {
    await using source = await sourceServer(answer)
    expect(await readOf(type, { ...metadata(source.url), authModes }, { auth })).toEqual([7, true])
    expect(source.asked[0]?.headers).toMatchObject(headers)
  })

  test.each<[string, Texts, RegExp]>([
    ['bearer', {}, /bearerToken is required/],
    ['basic', {}, /username is required/],
    ['tls', { cert: 'x' }, /cert and key are required/],
    ['basic,bearer', { username: 'a', token: 'b' }, /exclude each other/],
    ['magic', {}, /must be one of/],
  ])('authModes %s with %o is refused', async (authModes, auth, message) => {
    expect(await readOf(type, { ...metadata('http://127.0.0.1'), authModes }, { auth })).toMatch(message)
  })
})
}
