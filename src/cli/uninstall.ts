// `ballast uninstall`: takes back what Ballast set on nodes, pods and workloads, and then what was installed.

import { remove } from '#deployment/removal/removal.ts'
import { keepable } from '#deployment/removal/removal-run.ts'
import { systemClock } from '#kube/clock.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import type { DefineCommand, Surroundings } from './command-line.ts'
import { openLiveApi } from './source/live-source.ts'

interface UninstallOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace: string
  readonly release: string
  readonly keep?: ReadonlySet<(typeof keepable)[number]>
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly neverFail?: boolean
}

export const defineUninstall: DefineCommand = (program, surroundings) => {
  program
    .command('uninstall')
    .description(about.uninstall)
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then the service account of the pod, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', "Ballast's own namespace", ballastNamespace)
    .option('--release <name>', 'name under which it was installed', 'ballast')
    .option('--keep <what>', `what to keep, separated by commas: ${keepable.join(', ')} (default: crds)`, keepList)
    .option('--dry-run', 'only say what would be done')
    .option('--yes', 'do it')
    .option('--never-fail', 'end with 0 even where something is left')
    .addHelpText(
      'after',
      '\nKept kinds keep their policies. Variables and annotations in pod templates stay, because removing them would restart pods.\nExample: ballast uninstall --dry-run',
    )
    .action(async (options: UninstallOptions) => surroundings.end(await uninstall(options, surroundings)))
}

const kindsGoBy = 'kubectl delete crd -l app.kubernetes.io/part-of=ballast'

function keepList(text: string): ReadonlySet<(typeof keepable)[number]> {
  const names = text === '' ? [] : text.split(',').map(name => name.trim())
  const chosen = names.map(name => {
    const known = keepable.find(one => one === name)
    if (known === undefined)
      throw new CommandRefused(`--keep: found ${JSON.stringify(name)}, expected some of ${keepable.join(', ')}`)
    return known
  })
  return new Set(chosen)
}

async function uninstall(options: UninstallOptions, { terminal, environment, signal }: Surroundings): Promise<ExitCode> {
  const dryRun = options.dryRun === true
  if (!dryRun && options.yes !== true)
    throw new CommandRefused('nothing was done: --dry-run shows what would be done, --yes does it')
  const failure = options.neverFail === true ? exitCodes.done : exitCodes.failed
  try {
    const { api } = await openLiveApi({ kubeconfig: options.kubeconfig, context: options.context, environment, signal })
    try {
      const { namespace, release, keep = new Set(['crds'] as const) } = options
      const removal = await remove({
        api,
        clock: systemClock,
        capabilities: enabledCapabilities,
        namespace,
        release,
        keep,
        dryRun,
        signal,
      })
      for (const line of removal.done) terminal.write(dryRun ? `would ${line}` : line)
      for (const line of removal.stays) terminal.say(`stays: ${line}`)
      for (const line of removal.left) terminal.say(`left: ${line}`)
      if (removal.done.length + removal.left.length + removal.stays.length === 0)
        terminal.say(`nothing of release ${release} is in ${namespace}`)
      if (keep.has('crds')) terminal.say(`kinds and their objects are kept: ${kindsGoBy} deletes them`)
      return removal.left.length === 0 ? exitCodes.done : failure
    } finally {
      await api.close()
    }
  } catch (error) {
    if (options.neverFail !== true || signal.aborted) throw error
    terminal.say(`left as it was: ${error instanceof Error ? error.message : String(error)}`)
    return exitCodes.done
  }
}
