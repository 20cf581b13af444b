// Programs out of Debian that read and run images: containerd and runc, umoci, skopeo, oras. Each is tried before it is trusted,
// because a package of another suite may want another C library than this machine's.
import { dirname, join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { programPath, type Suite } from '../control-plane/debian.ts'
import { runCommand } from '../run-command.ts'

export interface Tool {
  readonly path: string
  readonly environment: Readonly<Record<string, string>>
}

/** The machine's own suite comes first where a program is linked with its libraries. */
const packages = {
  containerd: { suites: ['sid'], file: 'usr/bin/containerd', trial: '--version', libraries: [] },
  runc: { suites: ['sid', 'trixie', 'bookworm'], file: 'usr/sbin/runc', trial: '--version', libraries: [] },
  umoci: { suites: ['sid'], file: 'usr/bin/umoci', trial: '--version', libraries: [] },
  oras: { suites: ['sid'], file: 'usr/bin/oras', trial: 'version', libraries: [] },
  cosign: { suites: ['sid'], file: 'usr/bin/cosign', trial: 'version', libraries: [] },
  skopeo: {
    suites: ['sid', 'trixie', 'bookworm'],
    file: 'usr/bin/skopeo',
    trial: '--version',
    libraries: [
      ['libgpgme11', 'usr/lib/x86_64-linux-gnu/libgpgme.so.11'],
      ['libassuan0', 'usr/lib/x86_64-linux-gnu/libassuan.so.0'],
    ],
  },
} as const satisfies Record<string, ToolPackage>

interface ToolPackage {
  readonly suites: readonly Suite[]
  readonly file: string
  readonly trial: string
  /** Packages of libraries that the program wants and a machine may lack, with the file that is looked for. */
  readonly libraries: readonly (readonly [name: string, file: string])[]
}

/** Finds a program that runs here. Throws {@link PartUnavailable} with what each suite's said. */
export async function imageTool(name: keyof typeof packages): Promise<Tool> {
  const { suites, file, trial, libraries }: ToolPackage = packages[name]
  const complaints: string[] = []
  for (const suite of suites) {
    try {
      const path = await programPath(suite, name, file)
      const bare = { path, environment: {} }
      const first = await runCommand(path, [trial])
      if (first.code === 0) return bare
      complaints.push(`${suite}: ${first.stderr.trim().split('\n')[0]}`)
      if (libraries.length === 0) continue
      const directories = await Promise.all(
        libraries.map(async ([library, at]) => dirname(await programPath(suite, library, at))),
      )
      const environment = { LD_LIBRARY_PATH: directories.join(':') }
      if ((await runCommand(path, [trial], { env: environment })).code === 0) return { path, environment }
    } catch (error) {
      if (!(error instanceof PartUnavailable)) throw error
      complaints.push(error.message)
    }
  }
  throw new PartUnavailable(`${name} runs from no suite of Debian here: ${complaints.join('; ')}`)
}

/** Directories of programs, as PATH has them. */
export function pathOf(...tools: readonly Tool[]): string {
  return [...tools.map(({ path }) => dirname(path)), process.env['PATH'] ?? ''].join(':')
}

/** `ctr` lies beside containerd. */
export function besideOf({ path }: Tool, name: string): string {
  return join(dirname(path), name)
}
