// Runs in a network namespace of its own, with nothing but the loopback: `unshare --net node without-network.ts FOLDER PROGRAM [ARGUMENT…]` starts
// `up` of an example, asks page and API, and prints what it saw as JSON.
import { doesNotMatch, rejects, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { commandOutput } from '../run-command.ts'

const [, , folder = '', program = '', ...before] = process.argv
const limitMs = 240_000

await commandOutput('ip', ['link', 'set', 'lo', 'up'])
// An address that is nobody's: where there is no network it is not even tried.
await rejects(fetch('http://192.0.2.1/'), error => error instanceof Error && /ENETUNREACH/.test(String(error.cause)))

const options = {
  cwd: folder,
  env: { ...process.env, HOME: join(folder, 'home'), NO_COLOR: '1', npm_config_update_notifier: 'false' },
}
const words = ['up', '--cluster', 'examples/media-homelab', '--port', '0', '--kubeconfig-out', join(folder, 'kubeconfig')]
// A group of its own, as a terminal has: npx leaves it to the terminal to end what it has started.
const child = spawn(program, [...before, ...words], { ...options, detached: true, timeout: limitMs })
const ended = once(child, 'close')
let said = ''
const { promise: ready, resolve, reject } = Promise.withResolvers<string>()
for (const stream of [child.stdout, child.stderr])
  stream.on('data', chunk => {
    said += String(chunk)
    const url = /^Ballast {2}(http:\/\/\S+)/m.exec(said)?.[1]
    if (url !== undefined && said.includes('runs in the twin: https:')) resolve(url)
  })
child.once('close', code => reject(new Error(`it ended with ${code}: ${said}`)))
try {
  const url = await ready
  const html = await (await fetch(url)).text()
  const assets = [...new Set(html.match(/assets\/[\w.-]+/g))]
  for (const name of assets) strictEqual((await fetch(new URL(name, url))).status, 200, name)
  const version = await commandOutput(
    program,
    [...before, 'version', '--kubeconfig', 'kubeconfig', '--timeout', '60', '-o', 'json'],
    options,
  )
  doesNotMatch(said, /ExperimentalWarning/)
  console.log(JSON.stringify({ assets: assets.length, page: html.length, version: JSON.parse(version) }))
} finally {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
  await ended
}
