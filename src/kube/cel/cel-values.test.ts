// Quantities, semantic versions and maps with a default: what selectors of devices are made of.
import { expect, test } from 'vitest'
import { evaluateCel } from './cel.ts'
import { CelQuantity, CelVersion, MapWithDefault } from './cel-values.ts'

const device = {
  driver: 'gpu.example.com',
  attributes: new MapWithDefault(
    {
      'gpu.example.com': {
        model: 'A100',
        cores: 8,
        isHealthy: true,
        driverVersion: CelVersion.read('1.10.0-rc.2'),
      },
    },
    {},
  ),
  capacity: new MapWithDefault({ 'gpu.example.com': { memory: CelQuantity.of('40Gi'), half: CelQuantity.of('500m') } }, {}),
}

test.each<readonly [source: string, value: unknown]>([
  ['device.driver == "gpu.example.com"', true],
  ['device.attributes["gpu.example.com"].model == "A100"', true],
  ['device.attributes["gpu.example.com"].cores >= 8', true],
  ['device.attributes["gpu.example.com"].cores == "8"', false],
  ['has(device.attributes["other.example.com"].model)', false],
  ['"other.example.com" in device.attributes', false],
  ['"gpu.example.com" in device.attributes', true],
  ['device.attributes["gpu.example.com"].?colour.orValue("none")', 'none'],
  ['cel.bind(a, device.attributes["gpu.example.com"], a.isHealthy && a.cores == 8)', true],
  ['device.capacity["gpu.example.com"].memory.compareTo(quantity("40Gi")) == 0', true],
  ['device.capacity["gpu.example.com"].memory.isGreaterThan(quantity("39Gi"))', true],
  ['device.capacity["gpu.example.com"].memory.isLessThan(quantity("39Gi"))', false],
  ['device.capacity["gpu.example.com"].memory == quantity("40960Mi")', true],
  ['[quantity("1")] == [quantity("2")]', false],
  ['{"a": quantity("1")} == {"a": quantity("1000m")}', true],
  ['device.capacity["gpu.example.com"].memory.asInteger()', 42949672960],
  ['device.capacity["gpu.example.com"].half.isInteger()', false],
  ['device.capacity["gpu.example.com"].half.add(quantity("1")).asApproximateFloat()', 1.5],
  ['quantity("2").sub(1).sign()', 1],
  ['quantity("1Gi")', '1Gi'],
  ['device.attributes["gpu.example.com"].driverVersion.isLessThan(semver("1.10.0"))', true],
  ['device.attributes["gpu.example.com"].driverVersion.isGreaterThan(semver("1.9.9"))', true],
  ['device.attributes["gpu.example.com"].driverVersion.compareTo(semver("1.10.0-rc.10"))', -1],
  ['semver("1.2.3+a") == semver("1.2.3+b")', true],
  ['semver("v01.2", true).minor()', 2],
  ['isSemver("1.2")', false],
  ['semver("1.0.0-alpha").compareTo(semver("1.0.0-alpha.1"))', -1],
  ['semver("1.0.0-1").compareTo(semver("1.0.0-a"))', -1],
])('%s', (source, value) => {
  expect(evaluateCel(source, { device })).toEqual({ ok: true, value })
})

test.each([
  ['device.attributes["gpu.example.com"].colour == "red"', 'no such key: colour'],
  ['device.capacity["gpu.example.com"].half.asInteger()', 'cannot convert value to integer'],
  ['device.capacity["gpu.example.com"].memory > 5', 'no such overload: object > number'],
  ['device.capacity["gpu.example.com"].memory.isGreaterThan("1")', 'no such overload: isGreaterThan'],
  ['semver("1.2")', 'No Major.Minor.Patch elements found'],
  ['"a".matches("(")', '"(" is not a regular expression in RE2 syntax (error parsing regexp: missing closing ): `(`)'],
  ['device.attributes["gpu.example.com"].model.shout()', `undeclared reference to 'shout' with []`],
])('%s is an error', (source, problem) => {
  const outcome = evaluateCel(source, { device })
  expect(outcome.ok ? outcome.value : outcome.problem).toContain(problem)
})
