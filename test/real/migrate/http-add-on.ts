// `ballast migrate` from KEDA's HTTP add-on to Ballast within its own Deployments, and back, on a real control plane, as a user would run it, while
// requests come, some of them for what sleeps, and somebody asks the scaler as KEDA does.
import { deepStrictEqual, match, ok } from 'node:assert'
import { commandLine } from '../../cli/bundled.ts'
import { runCommand } from '../run-command.ts'
import { judged } from './http-add-on-seen.ts'
import { HttpAddOnSite } from './http-add-on-site.ts'
import type { PlacedPod } from './placed-pods.ts'
import { told } from './told.ts'

export async function judgeHttpAddOn(): Promise<string> {
  await using site = await HttpAddOnSite.open()
  const { visitor, pods } = site
  const run = async (words: readonly string[], codes: readonly number[] = [0]) => {
    const args = [commandLine, ...words, '--kubeconfig', site.plane.kubeconfig]
    const done = await runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 600_000 })
    ok(codes.includes(done.code ?? -1), `${words.join(' ')}: ${done.code} ${done.stdout}${done.stderr}\n${pods.log}`)
    return done
  }
  const doctor = async (): Promise<readonly string[]> => {
    const report: { readonly findings: readonly { readonly id: string; readonly object: string; readonly message: string }[] } =
      JSON.parse((await run(['doctor', '-o', 'json'])).stdout)
    return report.findings.map(
      ({ id, object, message }) => `${id} ${object}: ${message.replace(/^\S+ of /, '').replace(/:.*/, '')}`,
    )
  }
  const swapped = async (what: string, words: readonly string[], from: PlacedPod['kind']) => {
    const since = { asked: visitor.asked.length, scaled: visitor.scaled.length }
    const done = await run(['migrate', 'apply', 'http-add-on', '--all', ...words, '--yes'])
    // Those that drain still have requests.
    await site.until(`${what}: pods of ${from} are gone`, () =>
      pods.all.every(({ kind, process }) => kind !== from || process.hasEnded()),
    )
    return { done, seen: judged(what, site, { ...since, from }) }
  }

  const before = { templates: await site.templates(), metrics: await site.metricsAnswers(), doctor: await doctor() }
  await site.operates('first')
  deepStrictEqual(
    before.metrics.map(one => one.slice(0, 3)),
    ['401', '500', '403', '200'],
  )
  const plan = await run(['migrate', 'plan', 'http-add-on'])
  match(plan.stdout, /bring ours into Deployment keda\/keda-add-ons-http-interceptor/)

  const forth = await swapped('there', [], 'upstream')
  deepStrictEqual(
    told(forth.done),
    ['check', 'convert', 'scaler', 'interceptor', 'http-operator'].map(id => `${id}: done`),
  )
  await site.operates('second')
  deepStrictEqual(await site.metricsAnswers(), before.metrics, "ours guards the operator's metrics as upstream")
  deepStrictEqual(
    await doctor(),
    ['interceptor', 'operator', 'scaler'].map(
      program =>
        `upstream-present Deployment keda/keda-add-ons-http-${program}: ballast ${program.replace('operator', 'http-operator')} runs in the place of KEDA HTTP add-on's (0.15.0)`,
    ),
  )

  const back = await swapped('back', ['--back'], 'ours')
  deepStrictEqual(
    told(back.done),
    ['check', 'http-operator', 'interceptor', 'scaler'].map(id => `${id}: done`),
  )
  deepStrictEqual(await site.templates(), before.templates, 'templates are back to the letter')
  await site.operates('third')
  deepStrictEqual(await site.metricsAnswers(), before.metrics)
  deepStrictEqual(await doctor(), before.doctor)
  return `${forth.seen}; ${back.seen}; templates are back to the letter; the operator's metrics are guarded alike: ${before.metrics.map(one => one.slice(0, 3)).join(', ')}`
}
