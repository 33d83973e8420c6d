-- Styles, aspect ratios and resolutions of the last 90 days, each by itself.
SELECT
  style,
  aspect_ratio,
  resolution,
  COUNT(*) AS records
FROM generated_images
WHERE day > CAST(CAST(current_date - INTERVAL '90' DAY AS DATE) AS VARCHAR)
GROUP BY GROUPING SETS ((style), (aspect_ratio), (resolution))
ORDER BY records DESC, style, aspect_ratio, resolution
