import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWeirError } from '../../../errors.ts'
import { firewallRules } from './firewall-rules.ts'
import { findProgram, missing } from './machine.ts'

const PORTS = Array.from({ length: 16 }, (_, n) => 20_000 + n)
const STATE = {
  chain: 'weir-0',
  uids: { gateway: 102, build: 103, postgres: 104, telemetry: 105 },
  apps: [{ app: 1, uid: 1001, database: true, ports: PORTS }],
  databasePort: 21_000,
  telemetry: { intake: [4318, 9411], reachable: [4318, 9411, 9092] },
}

test('rules come in an order in which what is allowed stands before what is refused', () => {
  const lines = firewallRules(STATE, 4).split('\n')
  const at = (part: string) => {
    const found = lines.findIndex((line) => line.includes(part))
    assert.notEqual(found, -1, part)
    return found
  }
  assert.ok(at('--uid-owner 102 -j RETURN') < at('--dports'))
  assert.ok(at('-d 127.64.1.0/32') < at('-p tcp -m owner --uid-owner 1001 -j REJECT'))
  assert.ok(at('--dport 21000 -m owner --uid-owner 1001 -j RETURN') < at('-p tcp -m owner --uid-owner 1001 -j REJECT'))
  assert.equal(lines.at(-2), 'COMMIT')
})

test('more ports than a rule can hold are in several', () => {
  const rules = firewallRules(STATE, 4)
    .split('\n')
    .filter((line) => line.startsWith('-A weir-0 -p tcp -m multiport --dports'))
  assert.deepEqual(
    rules.map((rule) => /--dports (\S+)/.exec(rule)?.[1]?.split(',').length),
    [15, 1],
  )
})

test('an app without a database cannot reach the port of the databases', () => {
  const rules = firewallRules({ ...STATE, apps: [{ app: 1, uid: 1001, database: false, ports: [] }] }, 4)
  assert.ok(!rules.includes('--dport 21000 -m owner --uid-owner 1001 -j RETURN'))
})

test('every app reaches the intake and the broker, and nobody but the telemetry process answers there', () => {
  const lines = firewallRules(STATE, 4).split('\n')
  const at = (part: string) => lines.findIndex((line) => line.includes(part))
  assert.ok(at('--dports 4318,9411,9092 -m owner --uid-owner 1001 -j RETURN') < at('-p tcp -m owner --uid-owner 1001 -j REJECT'))
  assert.ok(at('--sports 4318,9411 -m owner --uid-owner 105 -j RETURN') < at('4318,9411 -m owner --uid-owner 103-1001 -j DROP'))
  assert.ok(!lines.some((line) => line.includes('--sports') && line.includes('9092')), 'the broker is nobody of ours')
})

test("StatsD of an app is its own account's, where there is telemetry", () => {
  const statsd = (state: typeof STATE) =>
    firewallRules(state, 4)
      .split('\n')
      .filter((line) => line.includes('--dport 8125'))
  const two = { ...STATE, apps: [...STATE.apps, { app: 2, uid: 1002, database: false, ports: [] }] }
  assert.deepEqual(statsd(two), [
    '-A weir-0 -d 127.64.1.0/32 -p udp --dport 8125 -m owner --uid-owner 1001 -j RETURN',
    '-A weir-0 -d 127.64.1.0/32 -p udp --dport 8125 -j REJECT --reject-with icmp-port-unreachable',
    '-A weir-0 -d 127.64.1.1/32 -p udp --dport 8125 -m owner --uid-owner 1002 -j RETURN',
    '-A weir-0 -d 127.64.1.1/32 -p udp --dport 8125 -j REJECT --reject-with icmp-port-unreachable',
  ])
  assert.ok(!statsd({ ...STATE, telemetry: { intake: [], reachable: [] } }).some((line) => line.endsWith('RETURN')))
})

test('over IPv6 an app reaches nothing but name servers', () => {
  const returns = firewallRules(STATE, 6)
    .split('\n')
    .filter((line) => line.endsWith('RETURN') && !line.includes('--sports'))
  assert.ok(returns.every((line) => !line.includes('1001')))
})

test('a program that is missing is refused with the package that has it', () => {
  assert.equal(findProgram('no-such-program', '/usr/bin'), null)
  assert.throws(
    () => missing('iptables', 'iptables'),
    (error) => isWeirError(error, 'E_STATE') && error.explanation.next === 'apt-get install iptables',
  )
})
