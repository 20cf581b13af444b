// A Prometheus server of Debian's package, and what it scrapes: shares of nodes that a check says.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { closed, listening } from '#kube/server/listening.ts'
import { machineSuite, programPath } from '../control-plane/debian.ts'

interface PrometheusServer extends AsyncDisposable {
  readonly url: string
}

const longestMs = 60_000

/** Scrapes `exposition` every second; resolves when `series` series of the metric `share` are there. Throws PartUnavailable without apt. */
export async function startPrometheus(exposition: string, series: number): Promise<PrometheusServer> {
  const program = await programPath(machineSuite(), 'prometheus', 'usr/bin/prometheus')
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-prometheus-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const exporter = createServer(
    (_, response) => void response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(exposition),
  )
  const exporterPort = await listening(exporter, { port: 0, host: '127.0.0.1' })
  stack.defer(async () => {
    exporter.closeAllConnections()
    await closed(exporter)
  })
  const configuration = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'nodes', honor_labels: true, static_configs: [{ targets: [`127.0.0.1:${exporterPort}`] }] }],
  }
  writeFileSync(join(directory, 'prometheus.yaml'), JSON.stringify(configuration))
  const port = await freePort()
  const words = [
    `--config.file=${join(directory, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: directory })
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text))
  const ended = Promise.withResolvers<void>()
  child.once('exit', () => ended.resolve())
  stack.defer(async () => {
    child.kill('SIGKILL')
    await ended.promise
  })
  const url = `http://127.0.0.1:${port}`
  const startMs = systemClock.elapsed()
  while ((await seriesAt(url)) !== series) {
    if (systemClock.elapsed() - startMs > longestMs || child.exitCode !== null)
      throw new Error(`Prometheus has no ${series} series of share: ${said.join('').slice(-2_000)}`)
    await systemClock.after(200)
  }
  const opened = stack.move()
  return { url, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** How many there are; 0 while nobody answers. */
async function seriesAt(url: string): Promise<number> {
  try {
    const { body } = await request(`${url}/api/v1/query?query=share`)
    const answer = await body.text()
    return answer.split('"metric"').length - 1
  } catch {
    // It does not listen yet.
    return 0
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  await closed(server)
  return port
}
