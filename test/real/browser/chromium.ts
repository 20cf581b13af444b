// Debian's Chromium: the one that is installed, else installed by apt where we are root.
import { existsSync } from 'node:fs'
import { builtOnce, PartUnavailable } from '../cache.ts'
import { runCommand } from '../run-command.ts'

const program = '/usr/bin/chromium'
const installMs = 600_000

/** Where Chromium is. @throws PartUnavailable where there is none and none can be installed */
export function chromiumPath(): Promise<string> {
  return builtOnce('chromium', async () => {
    if (existsSync(program)) return program
    if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
      throw new PartUnavailable(`no ${program}; install Debian's package chromium`)
    for (const step of [
      ['-q', 'update'],
      ['-q', '-y', '--no-install-recommends', 'install', 'chromium', 'fonts-dejavu-core'],
    ]) {
      const done = await runCommand('apt-get', step, { timeoutMs: installMs, env: { DEBIAN_FRONTEND: 'noninteractive' } })
      if (done.code !== 0) throw new PartUnavailable(`apt-get ${step.join(' ')}: ${done.stderr.slice(-500)}`)
    }
    if (!existsSync(program)) throw new PartUnavailable(`apt-get installed chromium, and there is no ${program}`)
    return program
  })
}
