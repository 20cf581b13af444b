// `ballast migrate` from KEDA 2.21 to Ballast and back on a real control plane, as a user would run it, while somebody asks for the value of a
// trigger each second.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { commandLine } from '../ballast/site.ts'
import { runCommand } from '../run-command.ts'
import { awake, KedaRealSite, theirs } from './keda-site.ts'
import { told } from './told.ts'

/** The polling interval that KEDA has by default, in seconds: for longer nobody may be without a value. */
const pollingSeconds = 30

export async function judgeKeda(): Promise<string> {
  await using site = await KedaRealSite.open()
  const { processes } = site
  const run = async (...words: readonly string[]) => {
    const args = [commandLine, 'migrate', ...words, '--kubeconfig', site.plane.kubeconfig]
    const done = await runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 600_000 })
    strictEqual(done.code, 0, `${words.join(' ')}: ${done.stdout}${done.stderr}\n${processes.log}`)
    return done
  }
  const unmoved = (what: string) => {
    const { asked, seconds, said } = site.answers.taken()
    ok(seconds <= pollingSeconds, `${what}: ${seconds} s without a value: ${said.join('; ')}\n${processes.log}`)
    deepStrictEqual(site.replicas.splice(0), [`web ${awake}, rest 0`], `${what}: replicas`)
    return `${what} ${seconds} s in ${asked} askings`
  }
  /** One more is taken, and one that targets what another has is refused, by whoever judges now. */
  const works = async (what: string, name: string) => {
    const refused = await site.create('twice', { scaleTargetRef: { name: 'web' } })
    const said = JSON.stringify(refused.body)
    match(said, /already managed by the ScaledObject 'web'/, `${what}: ${said}\n${processes.log}`)
    const made = await site.create(name)
    strictEqual(made.status, 201, `${what}: ${JSON.stringify(made.body)}`)
    await processes.until(`${what}: ${name} has its autoscaler`, async () =>
      (await site.autoscalers()).some(one => one.name === `keda-hpa-${name}`),
    )
  }
  const before = await site.autoscalers()
  strictEqual(before.length, 2)

  const forth = await run('apply', 'keda', '--all', '--yes')
  await processes.until('only ours runs', () => processes.runs('ours') && !theirs.some(side => processes.runs(side)))
  await processes.until(
    'ours answers',
    () => site.answers.last?.isAnswered === true,
    () => String(site.answers.last?.said),
  )
  const gapForth = unmoved('there')
  deepStrictEqual(await site.autoscalers(), before, 'autoscalers are kept')
  await works('ours', 'late')

  const back = await run('apply', 'keda', '--all', '--back', '--yes')
  await processes.until('only KEDA runs', () => !processes.runs('ours') && theirs.every(side => processes.runs(side)))
  await processes.until(
    'KEDA answers',
    () => site.answers.last?.isAnswered === true,
    () => String(site.answers.last?.said),
  )
  const gapBack = unmoved('back')
  deepStrictEqual(
    (await site.autoscalers()).filter(({ name }) => name !== 'keda-hpa-late'),
    before,
    'autoscalers are kept on the way back',
  )
  return `longest gap of a trigger's value, asked each second: ${gapForth}; ${gapBack}; no replica was changed (${told(forth).length} steps there, ${told(back).length} back)`
}
