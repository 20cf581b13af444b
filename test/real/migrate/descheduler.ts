// `ballast migrate` and `ballast doctor` on a real control plane, from the descheduler that Helm installed by its own chart to ours, back, and
// there again: as a user would run them. Pods of a tainted node are evicted by whoever is awake, each once.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { commandLine } from '../ballast/site.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { DeschedulerRealSite, upstreamNamespace } from './descheduler-site.ts'
import { told } from './told.ts'

const steps = ['check', 'convert', 'install', 'shadow', 'switch', 'remove', 'doctor']

/** The commands of this check, run as processes of their own. */
class Person {
  readonly #site: DeschedulerRealSite

  constructor(site: DeschedulerRealSite) {
    this.#site = site
  }

  async run(...words: readonly string[]): Promise<CommandResult> {
    const args = [commandLine, ...words, '--kubeconfig', this.#site.plane.kubeconfig]
    return runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 600_000 })
  }

  /** @throws Error with what both sides said where it does not end with 0 */
  async want(...words: readonly string[]): Promise<CommandResult> {
    const done = await this.run(...words)
    strictEqual(done.code, 0, `${words.join(' ')}: ${done.stdout}${done.stderr}\n${this.#site.log}`)
    return done
  }

  async doctor(): Promise<readonly string[]> {
    const { code, stdout, stderr } = await this.run('doctor', '-o', 'json', '--helm-secrets')
    ok(code === 0 || code === 3, `doctor ended with ${code}: ${stderr}`)
    const report: { readonly findings: readonly { readonly id: string }[] } = JSON.parse(stdout)
    // Here both hold the Lease under the name of this machine, not of a pod.
    return report.findings.map(({ id }) => id).filter(id => id !== 'rbac-excess' && id !== 'lease-held')
  }
}

/** The program that is awake evicts the pods of a node, each once, and no other. */
async function evicts(site: DeschedulerRealSite, what: string, node: 'n1' | 'n2' | 'n3'): Promise<number> {
  await site.until(`${what}: something is on ${node}`, () => site.shopOn(node).length > 0)
  const before = site.shop
  const leaving = site.shopOn(node)
  await site.taint(node)
  await site.until(
    `${what}: the pods of ${node} are elsewhere`,
    () => site.shopOn(node).length === 0 && site.shop.length === before.length,
  )
  const stayed = before.filter(uid => !leaving.includes(uid))
  deepStrictEqual(
    stayed.filter(uid => !site.shop.includes(uid)),
    [],
    `${what}: pods that had no reason to go`,
  )
  await site.taint(undefined)
  return leaving.length
}

async function judge(kind: 'Deployment' | 'CronJob'): Promise<string> {
  await using site = await DeschedulerRealSite.open(kind)
  const person = new Person(site)
  let evicted = await evicts(site, 'upstream', 'n2')
  deepStrictEqual(await person.doctor(), ['upstream-present'], 'doctor before')
  const plan = await person.want('migrate', 'plan', 'descheduler')
  match(plan.stdout, new RegExp(`now: yes, ${kind} ${upstreamNamespace}/descheduler is awake`))

  const forth = await person.want('migrate', 'apply', 'descheduler', '--all', '--yes', '--forget-release')
  deepStrictEqual(
    told(forth),
    steps.map(id => `${id}: done`),
  )
  const releases = await site.chart.want(['list', '-A', '-o', 'json', '--kubeconfig', site.plane.kubeconfig])
  deepStrictEqual(JSON.parse(releases), [], 'Helm knows nothing of it any more')
  ok(!site.runs('upstream'), 'after the migration upstream does not run')
  evicted += await evicts(site, 'ours', 'n3')
  deepStrictEqual(await person.doctor(), [], 'doctor after')

  await person.want('migrate', 'apply', 'descheduler', '--back', '--all', '--yes')
  evicted += await evicts(site, 'upstream again', 'n2')
  ok(!site.runs('ours'), 'back again ours does not run')

  await person.want('migrate', 'apply', 'descheduler', '--all', '--yes')
  evicted += await evicts(site, 'ours again', 'n3')
  deepStrictEqual(site.both, [], 'at no moment had both pods')
  return `${kind}: there, back and there again; ${evicted} pods evicted, each once, by whoever was awake`
}

export const judgeDeschedulerDeployment = (): Promise<string> => judge('Deployment')
export const judgeDeschedulerCronJob = (): Promise<string> => judge('CronJob')
