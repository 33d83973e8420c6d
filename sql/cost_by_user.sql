-- Who made how much in the last 90 days, and for how much; no user_id is everybody without a token.
SELECT
  user_id,
  COUNT(*) FILTER (WHERE status = 'succeeded') AS images,
  COUNT(*) FILTER (WHERE status = 'succeeded' AND deleted_at IS NULL) AS kept,
  SUM(cost_usd) AS cost_usd,
  CAST(SUM(cost_usd) / NULLIF(COUNT(*) FILTER (WHERE status = 'succeeded' AND deleted_at IS NULL), 0) AS DECIMAL(18, 4))
    AS cost_per_kept_usd
FROM generated_images
WHERE day > CAST(CAST(current_date - INTERVAL '90' DAY AS DATE) AS VARCHAR)
GROUP BY user_id
ORDER BY cost_usd DESC, images DESC
