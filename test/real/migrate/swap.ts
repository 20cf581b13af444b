// `ballast migrate` and `ballast doctor` on a real control plane, from Reloader to Ballast, back, and there again: as a user would run them, on
// a Reloader that Helm installed where upstream's chart can be had.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { withSection } from '../../../src/migration/writes.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { commandLine } from '../ballast/site.ts'
import { SwapSite } from '../reload/swap-site.ts'
import { shopSources } from '../reload/swap-workloads.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { told } from './told.ts'

const all = Object.values(shopSources)
const { db, settings, cloudflare, webDb } = shopSources
const inTheGap = [db, settings, cloudflare]
/** What comes twice comes within so long. */
const onceMs = 4_000
/** A new leader has read everything and looked at each workload, twice over. */
const swapMs = 12_000

interface Examined {
  readonly code: number | null
  readonly ids: readonly string[]
  readonly looked: string
}

/** The commands of this check, run as processes of their own. */
class Person {
  readonly #site: SwapSite
  readonly #kubeconfig: string

  constructor(site: SwapSite, kubeconfig = site.plane.kubeconfig) {
    this.#site = site
    this.#kubeconfig = kubeconfig
  }

  async run(...words: readonly string[]): Promise<CommandResult> {
    const args = [commandLine, ...words, '--kubeconfig', this.#kubeconfig]
    return runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 300_000 })
  }

  /** @throws Error with what both sides said where it does not end with 0 */
  async want(...words: readonly string[]): Promise<CommandResult> {
    const done = await this.run(...words)
    strictEqual(done.code, 0, `${words.join(' ')}: ${done.stdout}${done.stderr}\n${this.#site.log}`)
    return done
  }

  async doctor(): Promise<Examined> {
    const { code, stdout, stderr } = await this.run('doctor', '-o', 'json', '--helm-secrets')
    ok(code === 0 || code === 3, `doctor ended with ${code}: ${stderr}`)
    const report: { readonly looked: string; readonly findings: readonly { readonly id: string }[] } = JSON.parse(stdout)
    return { code, looked: report.looked, ids: report.findings.map(({ id }) => id) }
  }
}

/** With Secrets and ConfigMaps changed before the swap, while nobody reloads, and after it. */
export async function judgeMigration(): Promise<string> {
  await using site = await SwapSite.open('env-vars')
  const person = new Person(site)
  const act = async (what: string) => {
    const before = site.counts()
    await site.change(all)
    await site.acted(what, all, before, onceMs)
  }

  await act('upstream, each source changed')
  const first = await person.doctor()
  deepStrictEqual([first.code, first.ids], [0, ['upstream-present']], 'doctor before')
  const plan = await person.want('migrate', 'plan', 'reloader')
  match(plan.stdout, /now: yes, Deployment reloader\/reloader-reloader is awake/)
  deepStrictEqual(await records(site), [], 'a plan writes nothing')

  await refusedWithoutRights(site)
  const forth = await swapWithGap(site, () => person.want('migrate', 'apply', 'reloader', '--all', '--yes', '--forget-release'))
  deepStrictEqual(
    told(forth),
    ['check', 'convert', 'install', 'shadow', 'switch', 'prove', 'remove', 'doctor'].map(id => `${id}: done`),
  )
  ok(site.runs('ours') && !site.runs('upstream'), 'after the migration only ours runs')
  await act('ours, each source changed')
  const same = site.counts()
  await site.writeAgain(webDb)
  await site.acted('ours, equal data', [], same, onceMs)
  const after = await person.doctor()
  deepStrictEqual([after.code, after.ids.filter(id => id !== 'rbac-excess')], [0, []], 'doctor after')

  const back = site.counts()
  await person.want('migrate', 'apply', 'reloader', '--back', '--all', '--yes')
  await site.until('only upstream runs', () => site.runs('upstream'))
  await site.acted('migrated back', [], back, onceMs)
  await act('upstream again, each source changed')

  await bothAtOnce(site, person)
  const again = site.counts()
  await person.want('migrate', 'apply', 'reloader', '--all', '--yes')
  await site.acted('migrated once more', [], again, swapMs)
  ok(site.runs('ours') && !site.runs('upstream'), 'after the second migration only ours runs')
  await act('ours again, each source changed')
  await site.judgeReplicaSets()
  return `${site.upstreamBy}: there, back and there again; 4 × ${all.length} changes and ${inTheGap.length} in the gap acted on once, no roll-out by any swap; doctor saw Reloader, both at once, and neither`
}

/** Changes sources as soon as upstream has ended, before ours is told to begin: each is acted on once. */
async function swapWithGap(site: SwapSite, swap: () => Promise<CommandResult>): Promise<CommandResult> {
  const before = site.counts()
  const swapping = swap()
  let isOver = false
  const over = swapping.finally(() => {
    isOver = true
  })
  // Its failure is heard below; meanwhile another one may end this.
  over.catch(() => undefined)
  await site.until('upstream has ended', () => isOver || !site.runs('upstream'))
  await site.change(inTheGap)
  const done = await over
  await site.acted('taken over, sources changed in the gap', inTheGap, before, swapMs)
  return done
}

/** Somebody switches reload on while upstream runs: doctor says so, and the plan begins with switching it off. */
async function bothAtOnce(site: SwapSite, person: Person): Promise<void> {
  const place = ['configmap', 'ballast-config', '-n', 'ballast-system']
  const { data } = JSON.parse(await site.kubectl(['get', ...place, '-o', 'json']))
  const text = withSection(String(data['config.yaml']), { enabled: true }, 'reload')
  await site.kubectl(['patch', ...place, '--type=merge', '-p', JSON.stringify({ data: { 'config.yaml': text } })])
  const { code, ids } = await person.doctor()
  strictEqual(code, 3, 'doctor with both')
  ok(ids.includes('double-duty') && ids.includes('upstream-present'), `doctor with both: ${ids.join(', ')}`)
}

/** Who may only look is told what is missing, and nothing is written. */
async function refusedWithoutRights(site: SwapSite): Promise<void> {
  await site.kubectl(['create', 'serviceaccount', 'onlooker', '-n', 'reloader'])
  await site.kubectl(['create', 'clusterrole', 'onlooker', '--verb=get,list,watch', '--resource=*.*'])
  await site.kubectl(['create', 'clusterrolebinding', 'onlooker', '--clusterrole=onlooker', '--serviceaccount=reloader:onlooker'])
  const token = (await site.kubectl(['create', 'token', 'onlooker', '-n', 'reloader'])).trim()
  using kubeconfig = tokenKubeconfig(readFileSync(site.plane.kubeconfig, 'utf8'), token)
  const onlooker = new Person(site, kubeconfig.file)
  const { code, stderr } = await onlooker.run('migrate', 'apply', 'reloader', '--all', '--yes')
  strictEqual(code, 1, `without rights: ${stderr}`)
  match(
    stderr,
    /system:serviceaccount:reloader:onlooker may not .*create, delete, patch clusterroles\.rbac\.authorization\.k8s\.io/,
  )
  match(stderr, /delete, patch deployments\.apps in reloader/)
  match(stderr, /--clusterrole=cluster-admin --serviceaccount=reloader:onlooker/)
  deepStrictEqual(await records(site), [], 'without rights nothing is written')
  await site.kubectl(['delete', 'clusterrolebinding/onlooker', 'clusterrole/onlooker'])
  await site.kubectl(['delete', 'serviceaccount/onlooker', '-n', 'reloader'])
}

async function records(site: SwapSite): Promise<readonly string[]> {
  const text = await site.kubectl([
    'get',
    'configmaps',
    '-A',
    '-o',
    'name',
    '--field-selector=metadata.name=ballast-migration-reloader',
  ])
  return text.split('\n').filter(line => line !== '')
}
