// The lines that the dashboard prints beside its buttons, pasted into a shell with a real kubectl: on a twin, no control plane.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { kubectlLine } from '#dashboard/actions/kubectl-lines.ts'
import { PrintedSite, printedActions } from '../../printed-actions.ts'
import type { Check } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { commandOutput } from '../run-command.ts'

const lineLimitMs = 60_000

/** With both versions. */
export const printedLineChecks: readonly Check[] = (['1.32', 'newest'] as const).map(version => ({
  name: `kubectl ${version}: lines that the dashboard prints`,
  run: async () => {
    await using cleanup = new AsyncDisposableStack()
    const directory = mkdtempSync(join(tmpdir(), 'ballast-kubectl-'))
    cleanup.defer(() => rmSync(directory, { recursive: true, force: true }))
    symlinkSync(await kubectlPath(version), join(directory, 'kubectl'))
    const site = cleanup.use(await PrintedSite.start({ port: 0 }))
    const kubeconfig = join(directory, 'kubeconfig')
    writeFileSync(kubeconfig, await site.twin.kubeconfig(), { mode: 0o600 })
    const run = async (line: string) => {
      const env = {
        PATH: `${directory}${delimiter}${process.env.PATH ?? ''}`,
        KUBECONFIG: kubeconfig,
        KUBECACHEDIR: join(directory, 'cache'),
      }
      await commandOutput('sh', ['-c', line], { env, timeoutMs: lineLimitMs })
    }
    const differences: string[] = []
    for (const row of printedActions) {
      const difference = await site.compare(row, run)
      if (difference !== '') differences.push(difference)
    }
    // As it stands beside the button, before anybody knows when it will be pressed.
    await run(kubectlLine('replan', { policy: 'small' }))
    const asked = await site.askedForPlanAt()
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(asked ?? '')) differences.push(`replan left ${asked}`)
    if (differences.length > 0)
      throw new Error(`${differences.length} of ${printedActions.length + 1} lines differ\n  ${differences.join('\n  ')}`)
    return `${printedActions.length + 1} lines`
  },
}))
