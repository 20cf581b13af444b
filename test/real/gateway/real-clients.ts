// Clients as people have them, each through a cold start: curl, WebSockets of Node and Chromium, EventSource, and the page that waits.
import { match, ok, strictEqual } from 'node:assert'
import { openBrowser } from '../browser/browser.ts'
import { needPrograms } from '../machine-programs.ts'
import { runCommand } from '../run-command.ts'
import { TriedTarget, untilNobody, woken } from './tried-target.ts'

/** Against hanging only. */
const limitMs = 120_000
const fewEvents = 5

export async function realClients(): Promise<string> {
  await needPrograms('curl')
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const door = await target.door()
  const browser = stack.use(await openBrowser())
  const site = `localhost:${door.port}`
  for (const [protocol, flag] of [
    ['HTTP/1.1', '--http1.1'],
    ['HTTP/2', '--http2-prior-knowledge'],
  ] as const) {
    const said = await woken(target, door, () => curl(flag, `http://${site}/`))
    match(said, new RegExp(`^${protocol} 200`), said)
    match(said, /^x-keda-http-cold-start: true\r?$/im)
    ok(said.includes('awake'), said)
  }
  strictEqual(await woken(target, door, () => echoed(`ws://${site}/`)), 'hello')
  await untilNobody(door)

  // A page that is open goes on with what it asks while its target sleeps again.
  const { page } = stack.use(await browser.open())
  await page.goto(`http://${site}/`)
  strictEqual(await page.textContent('#target'), 'awake')
  const socket = `new Promise((resolve, reject) => {
    const socket = new WebSocket('ws://${site}/')
    socket.onopen = () => socket.send('hello')
    socket.onerror = () => reject(new Error('the WebSocket failed'))
    socket.onmessage = ({ data }) => { socket.close(); resolve(data) }
  })`
  strictEqual(await woken(target, door, () => page.evaluate(socket)), 'hello')
  await untilNobody(door)
  const events = `new Promise((resolve, reject) => {
    const seen = []
    const source = new EventSource('/events')
    source.onerror = () => reject(new Error('the EventSource failed'))
    source.onmessage = ({ data }) => { seen.push(data); if (seen.length === ${fewEvents}) { source.close(); resolve(seen.join()) } }
  })`
  const expected = Array.from({ length: fewEvents }, (_, at) => `event ${at + 1}`).join()
  strictEqual(await woken(target, door, () => page.evaluate(events)), expected)
  await untilNobody(door)

  const waited: string[] = []
  for (const javaScriptEnabled of [true, false]) {
    await target.sleep(door)
    const context = await browser.browser.newContext({ javaScriptEnabled })
    stack.defer(() => context.close())
    const tab = await context.newPage()
    const first = await tab.goto(`http://${site}/deep?link=1`)
    strictEqual(first?.status(), 503)
    match(await tab.title(), /is starting/)
    const wokenAt = performance.now()
    await target.wake()
    await tab.waitForSelector('#target', { timeout: limitMs })
    strictEqual(new URL(tab.url()).pathname, '/deep')
    waited.push(`${javaScriptEnabled ? 'with' : 'without'} JavaScript ${Math.round(performance.now() - wokenAt)} ms`)
  }
  return `curl by HTTP/1.1 and HTTP/2, WebSockets of Node and Chromium, EventSource, each held and answered; the page ends on the target's after it is ready: ${waited.join(', ')}`
}

async function curl(flag: string, url: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand('curl', ['-4', '-sS', '-i', '-m', '100', flag, url], { timeoutMs: limitMs })
  strictEqual(code, 0, stderr)
  return stdout
}

function echoed(url: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const socket = new WebSocket(url)
  socket.addEventListener('open', () => socket.send('hello'))
  socket.addEventListener('error', () => reject(new Error('the WebSocket failed')))
  socket.addEventListener('message', ({ data }) => {
    socket.close()
    resolve(data)
  })
  return promise
}
