// The clinic's appointment service as a process: `node agents/clinic/service/main.ts --port 4010 --database clinic.db`.
import { runService } from '../../services/run-service.ts';
import { buildClinic } from './service.ts';

await runService({ name: 'clinic', port: 4010, variable: 'CLINIC', build: buildClinic });
