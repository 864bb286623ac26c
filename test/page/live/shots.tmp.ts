import { startLiveServer } from './live-server.ts';import { liveCall, liveEntry } from './facts.ts';
import { launchChromium, takePictures, axeViolations, complaintsOf } from '/work/main/test/support/browser.ts';
process.env.SCREENSHOTS;
const s = await startLiveServer();
const b = await launchChromium();
const ctx = await b.newContext({ viewport: { width: 1280, height: 900 } });
const open = async (u) => { const p = await ctx.newPage(); complaintsOf(p, (t) => console.log('COMPLAINT', t)); await p.goto(u); return p; };
const which = process.argv[2] ?? 'all';
if (which === 'all' || which === 'empty') {
  const p = await s.enter(open, '/live'); await p.waitForSelector('.empty');
  await takePictures(p, 'live-empty'); console.log('empty', await axeViolations(p)); await p.close();
}
for (let i = 0; i < 30; i++) s.scene.calls.set(liveCall(i).callId, liveCall(i));
const one = liveCall(3, {state:'speaking'});
s.scene.calls.set(one.callId, one);
const entries = Array.from({ length: 40 }, (_, i) => liveEntry(i));
entries.push(liveEntry(40, { kind: 'agent', text: 'Doctor Lind has a place at half past two; may I have', heard: 'Doctor Lind has a place', unheard: 'at half past two; may I have' }));
entries.push(liveEntry(41, { kind: 'barge_in', text: 'after 1.9 s; 2.3 s never heard' }));
entries.push(liveEntry(42, { kind: 'caller', text: '<img src=x onerror=alert(1)>' }));
entries.push(liveEntry(43, { kind: 'tool', text: 'book_appointment', tool: { arguments: '{"day":"2026-11-24","time":"14:30"}', output: '{"booked":true,"note":"<script>alert(1)</script>"}', status: 'ok', durationMs: 812 } }));
entries.push(liveEntry(44, { kind: 'operator', text: 'Tells the agent: offer the morning too' }));
entries.push(liveEntry(45, { kind: 'trouble', text: 'The model was lost; another session takes over' }));
entries.push(liveEntry(46, { kind: 'tool', text: 'find_patient', tool: { arguments: '{}', output: null, status: 'running', durationMs: null } }));
entries.push(liveEntry(47, { kind: 'caller', text: '' , heard: null, unheard: null}));
s.scene.entries.set(one.callId, entries);
if (which === 'all' || which === 'grid') {
  const p = await s.enter(open, '/live'); await p.waitForSelector('tr[data-call]');
  s.scene.tell([], [liveCall(2).callId]); await p.waitForTimeout(300);
  await takePictures(p, 'live-grid', [1280, 360], false); console.log('grid', await axeViolations(p));
  await p.keyboard.press('?'); await p.waitForSelector('dialog[open]'); await takePictures(p, 'live-help', [1280], false); console.log('help', await axeViolations(p));
  await p.close();
}
if (which === 'all' || which === 'call') {
  const p = await s.enter(open, `/live/${one.callId}`); await p.waitForSelector('[data-entry="47"]');
  await p.click('text=book_appointment');
  await p.waitForTimeout(200);
  await takePictures(p, 'live-call'); console.log('call', await axeViolations(p));
  await p.keyboard.press('h'); await p.waitForSelector('dialog[open]');
  await takePictures(p, 'live-hangup', [1280], false);
  await p.close();
}
await b.close(); await s.close();
