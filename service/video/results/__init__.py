"""What a finished video comes with: tables, summary, report, comparison."""
