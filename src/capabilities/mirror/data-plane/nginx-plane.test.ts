// The process beside the agent, by a program of this test in its place; nginx itself is tried with real parts.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { NginxPlane } from './nginx-plane.ts'

/** Answers at `alive.sock`, and refuses each further configuration, as nginx says it. */
const program = `
const directory = process.argv[process.argv.indexOf("-p") + 1]
require('node:http').createServer((_, response) => response.writeHead(204).end()).listen(directory + '/alive.sock')
process.on('SIGHUP', () => process.stderr.write('[emerg] bind() to 0.0.0.0:29996 failed\\n'))
process.on('SIGQUIT', () => process.exit())
`

function nginxOf(text: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'program.js'), text)
  writeFileSync(join(folder, 'nginx'), `#!/bin/sh\nexec '${process.execPath}' '${join(folder, 'program.js')}' "$@"\n`)
  chmodSync(join(folder, 'nginx'), 0o755)
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH'] ?? ''}`)
  onTestFinished(() => void vi.unstubAllEnvs())
}

test('a configuration that nginx does not take is an error of the log', async () => {
  nginxOf(program)
  const errors: string[] = []
  await using plane = await NginxPlane.start(
    {
      ...{ registry: [{ host: '127.0.0.1', port: 29_999 }], peers: { host: '127.0.0.1', port: 29_996 }, hasIpv6: false },
      ...{ connectMs: 1_000, stallMs: 1_000, connections: 64 },
      ...{ onRegistry: () => undefined, onPeers: () => undefined, onTurnedAway: () => undefined, clock: systemClock },
      log: {
        ...silentLog,
        error: (fields: object, message: string) => void errors.push(`${message}: ${JSON.stringify(fields)}`),
      },
    },
    undefined,
  )
  expect(plane.isUp).toBe(true)
  plane.use({ ca: 'a', certificate: 'b', key: 'c' })
  await vi.waitFor(() => expect(errors).toEqual([expect.stringContaining('[emerg] bind() to 0.0.0.0:29996 failed')]), 5_000)
  expect(plane.isUp).toBe(true)
})
