-- A checkpoint that was chosen by a role's labels makes a number on that role no fair one, as a chosen threshold does.
DROP VIEW v_oracles;
CREATE VIEW v_oracles AS
SELECT l.stage_id, cs.role, 'its value was chosen on the scored role' AS reason
FROM lineage l JOIN stages d ON d.id = l.ancestor_id AND d.type = 'choose'
JOIN cell_stages cs ON cs.stage_id = l.stage_id AND cs.role = d.role
UNION
SELECT l.stage_id, cs.role, 'masks reached training'
FROM ledger g JOIN stages d ON d.result_attempt_id = g.attempt_id JOIN lineage l ON l.ancestor_id = d.id
JOIN cell_stages cs ON cs.stage_id = l.stage_id
WHERE g.kind = 'masks' AND g.purpose = 'train'
UNION
SELECT l.stage_id, cs.role, 'its checkpoint was chosen on the scored role'
FROM ledger g JOIN stages d ON d.result_attempt_id = g.attempt_id AND d.type = 'fit'
JOIN lineage l ON l.ancestor_id = d.id
JOIN cell_stages cs ON cs.stage_id = l.stage_id AND cs.role = g.role
WHERE g.purpose = 'choose' AND g.kind IN ('masks', 'image_labels');
