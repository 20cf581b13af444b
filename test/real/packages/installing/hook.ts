// What a kubelet would do with the Jobs of the chart's hooks: the command of the release runs with the token of the Job's account. The one that
// waits until nodes have their hosts files back has nothing to wait for, as no mirror ran here.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { systemClock } from '#kube/clock.ts'
import { tokenKubeconfig } from '../../../controller-process.ts'
import { type Command, type LifeSite, triedCommand } from './site.ts'

const namespace = 'ballast-system'
const jobSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({ serviceAccountName: z.string(), containers: z.array(z.object({ args: z.array(z.string()) })) }),
    }),
  }),
})

/** Waits for the Job, runs it and says of its pod how it ended. @throws the reason of `signal` where none came */
export async function runHook(
  command: Command,
  site: LifeSite,
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly said: string }> {
  for (;;) {
    const { code, stdout } = await site.tried(['get', 'job', 'ballast-uninstall', '-n', namespace, '-o', 'json'])
    if (code === 0) return await ran(command, site, stdout)
    await endPods(site, { namespace: 'ballast-agent', job: 'ballast-mirror-cleanup', exitCode: 0 })
    await systemClock.after(200, signal)
  }
}

async function ran(command: Command, site: LifeSite, text: string) {
  const { serviceAccountName, containers } = jobSchema.parse(JSON.parse(text)).spec.template.spec
  const token = (await site.run(['create', 'token', serviceAccountName, '-n', namespace])).trim()
  using config = tokenKubeconfig(readFileSync(site.kubeconfig, 'utf8'), token)
  const { code, stdout, stderr } = await triedCommand(command, [...(containers[0]?.args ?? []), '--kubeconfig', config.file])
  await endPods(site, { namespace, job: 'ballast-uninstall', exitCode: code })
  return { code, said: `${stdout}${stderr}` }
}

interface Ended {
  readonly namespace: string
  readonly job: string
  readonly exitCode: number
}

/** Says of the pods of a Job that their only container has ended. */
async function endPods(site: LifeSite, { namespace: where, job, exitCode }: Ended): Promise<void> {
  const at = new Date().toISOString()
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at }
  const status = {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [{ name: 'main', image: 'x', imageID: 'x', ready: false, restartCount: 0, state: { terminated } }],
  }
  const running = ['--field-selector', 'status.phase=Running', '-o', 'name']
  const pods = await site.run(['get', 'pods', '-n', where, '-l', `job-name=${job}`, ...running])
  for (const pod of pods
    .trim()
    .split('\n')
    .filter(one => one !== ''))
    await site.run(['patch', pod, '-n', where, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
}
