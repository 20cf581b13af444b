import { once } from 'node:events'
import { request } from 'node:https'
import { Agent, WebSocket } from 'undici'
import { expect, test } from 'vitest'
import type { Twin } from '../../twin.ts'
import { TestClient } from '../../twin-for-tests.ts'
import { startedWithPod } from './running-pod-for-tests.ts'

interface Ended {
  readonly close: number
  /** What came on stdout and stderr. */
  readonly text: string
  /** The Status on the error channel. */
  readonly status: unknown
}

/** Speaks as kubectl does, by a token of the default account. `send`: messages, the channel in front. */
async function exec(
  twin: Twin,
  query: string,
  send: readonly Uint8Array[] = [],
  onOpen: () => void = () => undefined,
  subresource = 'exec',
): Promise<Ended> {
  const token = await twin.issueToken({ namespace: 'default', serviceAccount: 'default' })
  const agent = new Agent({ connect: { rejectUnauthorized: false } })
  const url = `${(twin.url ?? '').replace('https', 'wss')}/api/v1/namespaces/default/pods/web/${subresource}?${query}`
  const socket = new WebSocket(url, {
    protocols: ['v5.channel.k8s.io'],
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}` },
  })
  socket.binaryType = 'arraybuffer'
  const texts: string[] = []
  let status: unknown
  socket.addEventListener('open', () => {
    for (const message of send) socket.send(message)
    onOpen()
  })
  socket.addEventListener('message', ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer)
    if (bytes[0] === 3) status = JSON.parse(bytes.subarray(1).toString())
    else texts.push(bytes.subarray(1).toString())
  })
  const close = await new Promise<number>(resolve => socket.addEventListener('close', ({ code }) => resolve(code)))
  await agent.destroy()
  return { close, text: texts.join(''), status }
}

const on = (channel: number, text: string) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)])
const failure = (code: number) => ({
  metadata: {},
  status: 'Failure',
  message: `command terminated with non-zero exit code: exit status ${code}`,
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
})

test('a command answers over its channels, with its exit code', async () => {
  await using twin = await startedWithPod()
  expect(await exec(twin, 'command=hostname&stdout=true&stderr=true')).toEqual({
    close: 1000,
    text: 'web\n',
    status: { metadata: {}, status: 'Success' },
  })
  const script = encodeURIComponent('echo out; cat /none; exit 7')
  expect(await exec(twin, `command=sh&command=-c&command=${script}&stdout=true&stderr=true`)).toEqual({
    close: 1000,
    text: 'out\ncat: /none: No such file or directory\n',
    status: failure(7),
  })
})

test('standard input comes in until it is closed, and a terminal shows what is typed', async () => {
  await using twin = await startedWithPod()
  const stdin = [on(0, 'a'), on(0, 'b\n'), Buffer.from([255, 0])]
  expect(await exec(twin, 'command=cat&stdin=true&stdout=true', stdin)).toMatchObject({
    text: 'ab\n',
    status: { status: 'Success' },
  })
  const typed = [on(4, '{"Width":80,"Height":24}'), on(0, 'pwx\x7fd\rexit 3\r')]
  const { text, status } = await exec(twin, 'command=sh&stdin=true&stdout=true&tty=true', typed)
  expect(text).toContain('pwx\b \bd\r\n')
  expect(text).toContain('/\r\n/ # ')
  expect(status).toEqual(failure(3))
})

test('ends with its container, and where a client sends too much', async () => {
  await using twin = await startedWithPod()
  const gone = exec(
    twin,
    'command=sleep&command=1h&stdout=true',
    [],
    () => void twin.access.remove('pods', 'default', 'web', { manager: 'k', user: 'k' }, { gracePeriodSeconds: 0 }),
  )
  expect(await gone).toMatchObject({ close: 1000, status: failure(137) })
  await using other = await startedWithPod()
  expect(await exec(other, 'command=cat&stdin=true&stdout=true', [Buffer.alloc(1024 * 1024 + 1)])).toMatchObject({ close: 1009 })
})

test('what is opened for reading alone is refused from 1.35 on', async () => {
  await using twin = await startedWithPod(['get'])
  expect(await exec(twin, 'command=hostname&stdout=true')).toMatchObject({ close: 1006, text: '', status: undefined })
  await using before = await startedWithPod(['get'], '1.34')
  expect(await exec(before, 'command=hostname&stdout=true')).toMatchObject({ close: 1000, text: 'web\n' })
})

test('is refused in the words of kube-apiserver', async () => {
  await using twin = await startedWithPod()
  const client = new TestClient(twin.transport({ admin: true }))
  const rows: readonly (readonly [string, string, number, string])[] = [
    ['none', 'command=ls&stdout=true', 404, 'pods "none" not found'],
    ['web', 'command=ls', 400, 'you must specify at least 1 of stdin, stdout, stderr'],
    ['web', 'command=ls&stdout=true&container=x', 400, 'container x is not valid for pod web'],
    [
      'web',
      'command=ls&stdout=true',
      400,
      'Upgrade request required: the twin speaks WebSockets with v5.channel.k8s.io or v4.channel.k8s.io, and no SPDY',
    ],
  ]
  for (const [name, query, status, message] of rows)
    expect(await client.get(`/api/v1/namespaces/default/pods/${name}/exec?${query}`), `${name} ${query}`).toMatchObject({
      status,
      message,
    })
})

test('who attaches sees what the container writes until it ends', async () => {
  await using twin = await startedWithPod()
  const remove = () => void twin.access.remove('pods', 'default', 'web', { manager: 'k', user: 'k' }, { gracePeriodSeconds: 0 })
  expect(await exec(twin, 'stdout=true&stderr=true', [], remove, 'attach')).toEqual({
    close: 1000,
    text: 'received SIGTERM, ending\n',
    status: { metadata: {}, status: 'Success' },
  })
})

test('who attaches to a shell types to it, and hears no code', async () => {
  await using twin = await startedWithPod(['get', 'create'], '1.36', { container: { stdin: true, command: ['/bin/sh'] } })
  const typed = [on(0, 'echo $HOSTNAME\nexit 4\n')]
  expect(await exec(twin, 'stdin=true&stdout=true', typed, undefined, 'attach')).toEqual({
    close: 1000,
    text: 'web\n',
    status: { metadata: {}, status: 'Success' },
  })
})

test('other requests that offer an upgrade are answered as they are', async () => {
  await using twin = await startedWithPod()
  for (const [path, upgrade] of [
    ['/version', 'h2c'],
    ['/version', 'websocket'],
  ] as const) {
    const asked = request(`${twin.url}${path}`, { rejectUnauthorized: false, headers: { connection: 'Upgrade', upgrade } }).end()
    const [answer] = await once(asked, 'response')
    answer.resume()
    expect(answer.statusCode).toBe(200)
  }
})
