// What a kubelet would do with the Job of the chart's hook: the command of the release runs with the token of the Job's account.
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
    await systemClock.after(200, signal)
  }
}

async function ran(command: Command, site: LifeSite, text: string) {
  const { serviceAccountName, containers } = jobSchema.parse(JSON.parse(text)).spec.template.spec
  const token = (await site.run(['create', 'token', serviceAccountName, '-n', namespace])).trim()
  using config = tokenKubeconfig(readFileSync(site.kubeconfig, 'utf8'), token)
  const { code, stdout, stderr } = await triedCommand(command, [...(containers[0]?.args ?? []), '--kubeconfig', config.file])
  const at = new Date().toISOString()
  const terminated = { exitCode: code, reason: code === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at }
  const status = {
    phase: code === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [{ name: 'uninstall', image: 'x', imageID: 'x', ready: false, restartCount: 0, state: { terminated } }],
  }
  const pods = await site.run(['get', 'pods', '-n', namespace, '-l', 'job-name=ballast-uninstall', '-o', 'name'])
  for (const pod of pods.trim().split('\n'))
    await site.run(['patch', pod, '-n', namespace, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
  return { code, said: `${stdout}${stderr}` }
}
