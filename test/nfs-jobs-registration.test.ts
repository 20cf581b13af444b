// A driver before a kubelet that is played: it is found by its socket, told whether it was taken, and found again after whatever happened to the socket.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { Registrar, registrationMethods } from '#kube/grpc/plugin-registration.ts'
import { SocketClient } from '#kube/grpc/socket-client.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { DriverLink } from '../src/capabilities/nfs/jobs/driver/driver-link.ts'
import { Liveness } from '../src/capabilities/nfs/jobs/liveness.ts'
import { DriverRegistration, registrationHealth } from '../src/capabilities/nfs/registration/driver-registration.ts'
import { FakeDriver } from './nfs-jobs-driver.ts'

const driver = 'nfs.csi.k8s.io'
const { signal } = new AbortController()
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function registryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-reg-'))
  folders.push(folder)
  return join(folder, 'plugins_registry')
}

function register(registry: string): DriverRegistration {
  return new DriverRegistration({
    driver,
    endpoint: '/var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
    registry,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.after(5)
}

/** Asks and answers as a kubelet does that found the socket. */
async function kubelet(path: string, error?: string) {
  using client = new SocketClient({ address: path, clock: systemClock })
  const options = { limitMs: 5_000, signal }
  const info = await client.ask(registrationMethods.info, {}, options)
  await client.ask(registrationMethods.notify, { pluginRegistered: error === undefined, error: error ?? '' }, options)
  return info
}

/** A file system gives the number of a file that is gone to the next one. */
const inode = (path: string) => `${statSync(path).ino} ${statSync(path).ctimeMs}`

test('a kubelet finds the driver by a socket that nobody else may open, and loses it with that', async () => {
  const registry = registryFolder()
  const registration = register(registry)
  await until(() => existsSync(registration.path))
  expect(registration.path).toBe(join(registry, 'nfs.csi.k8s.io-reg.sock'))
  expect((statSync(registration.path).mode & 0o777).toString(8)).toBe('700')
  expect(readdirSync(registry)).toEqual(['nfs.csi.k8s.io-reg.sock'])
  expect(registration.check()).toEqual({ name: 'registration', ok: false, state: 'it waits for the kubelet' })
  expect(await kubelet(registration.path)).toEqual({
    type: 'CSIPlugin',
    name: driver,
    endpoint: '/var/lib/kubelet/plugins/csi-nfsplugin/csi.sock',
    supportedVersions: ['1.0.0'],
  })
  expect(registration.check()).toEqual({ name: 'registration', ok: true, state: 'registered' })
  const health = { path: registration.path, clock: systemClock, limitMs: 5_000 }
  expect(await registrationHealth({ ...health, driver }, signal)).toEqual({ status: 200, body: 'ok' })
  expect(await registrationHealth({ ...health, driver: 'other' }, signal)).toEqual({
    status: 500,
    body: 'invalid driver name nfs.csi.k8s.io',
  })
  await registration[Symbol.asyncDispose]()
  expect(readdirSync(registry)).toEqual([])
  expect(await registrationHealth({ ...health, driver }, signal)).toMatchObject({ status: 500 })
})

test('what a process left behind is in nobody’s way, and never missing in between', async () => {
  const registry = registryFolder()
  mkdirSync(registry)
  const path = join(registry, 'nfs.csi.k8s.io-reg.sock')
  writeFileSync(path, 'no socket')
  await using registration = register(registry)
  await until(() => existsSync(path) && statSync(path).isSocket())
  expect(registration.path).toBe(path)
  expect((await kubelet(path)).name).toBe(driver)
})

test('it registers again where the kubelet refuses, the socket goes, or the whole folder does', async () => {
  const registry = registryFolder()
  await using registration = register(registry)
  await until(() => existsSync(registration.path))
  const first = inode(registration.path)
  await kubelet(registration.path, 'no such plugin directory')
  await until(() => existsSync(registration.path) && inode(registration.path) !== first)
  expect(registration.check().state).toBe(
    'it waits for the kubelet: the kubelet does not take the driver: no such plugin directory',
  )
  const second = inode(registration.path)
  rmSync(registration.path)
  await until(() => existsSync(registration.path) && inode(registration.path) !== second)
  rmSync(registry, { recursive: true })
  await until(() => existsSync(registration.path))
  await kubelet(registration.path)
  expect(registration.check().ok).toBe(true)
})

test('the newest of two takes the name, and they do not fight', async () => {
  const registry = registryFolder()
  const old = register(registry)
  await until(() => existsSync(old.path))
  const before = inode(old.path)
  const young = register(registry)
  await until(() => inode(young.path) !== before)
  const after = inode(young.path)
  await until(() => old.check().state?.includes('another process has registered the driver') === true)
  expect(inode(young.path)).toBe(after)
  // The end of the old one takes nothing away.
  await old[Symbol.asyncDispose]()
  expect(inode(young.path)).toBe(after)
  await young[Symbol.asyncDispose]()
  expect(existsSync(young.path)).toBe(false)
})

test('a name that is too long for a socket is told', async () => {
  const registry = join(registryFolder(), 'x'.repeat(100))
  await using registration = register(registry)
  await until(() => registration.check().state?.includes('more than the 107 bytes') === true)
})

test('a registrar that only looks like it is not taken for the driver', async () => {
  const registry = registryFolder()
  mkdirSync(registry)
  const path = join(registry, 'a.sock')
  const other = new Registrar({
    type: 'CSIPlugin',
    name: 'other',
    endpoint: '',
    supportedVersions: [],
    onStatus: () => undefined,
  })
  await other.listen(path)
  expect(await registrationHealth({ path, driver, clock: systemClock, limitMs: 5_000 }, signal)).toEqual({
    status: 500,
    body: 'invalid driver name other',
  })
  other.close()
})

test('liveness says what the driver says, in time, and asks once for all who ask', async () => {
  await using fake = new FakeDriver()
  const around = { address: fake.address, clock: systemClock, random: systemRandom, log: silentLog }
  using link = new DriverLink({ ...around, askLimitMs: 1_000 })
  const liveness = new Liveness(link, 200)
  expect(await liveness.answer(signal)).toMatchObject({
    status: 500,
    body: expect.stringContaining('rpc error: code = Unavailable'),
  })
  await fake.start()
  while ((await liveness.answer(signal)).status !== 200) await systemClock.after(5)
  const before = fake.count('probe')
  const answers = await Promise.all([liveness.answer(signal), liveness.answer(signal), liveness.answer(signal)])
  expect([answers.map(({ body }) => body), fake.count('probe') - before]).toEqual([['ok', 'ok', 'ok'], 1])
  fake.isReady = false
  expect(await liveness.answer(signal)).toEqual({ status: 500, body: 'driver responded but is not ready' })
  const { promise, resolve } = Promise.withResolvers<void>()
  fake.meanwhile = method => (method === 'probe' ? promise : undefined)
  expect(await liveness.answer(signal)).toEqual({
    status: 500,
    body: 'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
  })
  resolve()
})
