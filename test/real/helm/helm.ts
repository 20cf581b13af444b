// Helm on charts in a folder of their own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type CommandResult, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'

export interface HelmChart extends Disposable {
  readonly directory: string
  /** Runs Helm, with an environment that leads nowhere else. */
  run(args: readonly string[], timeoutMs?: number): Promise<CommandResult>
  /** Its output. @throws Error with its words */
  want(args: readonly string[], timeoutMs?: number): Promise<string>
  /** A file beside the chart. */
  write(name: string, text: string): string
}

/** Writes the chart; disposing removes it with everything that Helm kept. */
export async function helmChart(files: ReadonlyMap<string, string>): Promise<HelmChart> {
  const program = await upstreamPath('helm')
  const home = mkdtempSync(join(tmpdir(), 'ballast-helm-'))
  const directory = join(home, 'ballast')
  for (const [path, text] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const env = {
    HELM_CACHE_HOME: join(home, 'cache'),
    HELM_CONFIG_HOME: join(home, 'config'),
    HELM_DATA_HOME: join(home, 'data'),
    KUBECONFIG: join(home, 'none'),
  }
  const run = (args: readonly string[], timeoutMs = 120_000) => runCommand(program, args, { env, timeoutMs })
  return {
    directory,
    run,
    async want(args, timeoutMs) {
      const { code, stdout, stderr } = await run(args, timeoutMs)
      if (code !== 0) throw new Error(`helm ${args.join(' ')} ended with code ${code}: ${stderr.trim().slice(-4_000)}`)
      return stdout
    },
    write(name, text) {
      const file = join(home, name)
      writeFileSync(file, text)
      return file
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}
