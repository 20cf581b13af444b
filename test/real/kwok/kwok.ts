// kwok plays the kubelets of a real control plane: every node is kept ready, every pod that is bound runs.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd } from '../endings.ts'
import { upstreamPath } from '../upstreams/build.ts'

const stages = join(import.meta.dirname, 'stages.yaml')

export interface Kwok extends AsyncDisposable {
  /** @throws Error with its last lines when it has ended */
  look(): void
}

/** Starts it for all nodes. Throws PartUnavailable where its program cannot be had. */
export async function startKwok(kubeconfig: string): Promise<Kwok> {
  const program = await upstreamPath('kwok')
  const home = mkdtempSync(join(tmpdir(), 'ballast-kwok-'))
  const child = spawn(program, [`--kubeconfig=${kubeconfig}`, '--manage-all-nodes', `--config=${stages}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { HOME: home, PATH: '/usr/bin:/bin' },
  })
  const forget = atEnd(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000)
  })
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  return {
    look() {
      if (isOver()) throw new Error(`kwok ended: ${said}`)
    },
    async [Symbol.asyncDispose]() {
      forget()
      if (!isOver()) {
        const ended = new Promise(resolve => child.once('exit', resolve))
        child.kill('SIGKILL')
        await ended
      }
      rmSync(home, { recursive: true, force: true })
    },
  }
}
