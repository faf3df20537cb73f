-- What the reader of changes may see of the ERP's tables, and what is streamed to it.
-- Tables with passwords, keys or accounting are not among them.
grant usage on schema public to erp_cdc;
grant select on
    party_party, company_employee,
    product_category, product_template, "product_template-product_category", product_product,
    product_uom, stock_location, stock_lot, stock_move,
    stock_shipment_in, stock_shipment_out, stock_shipment_internal,
    purchase_purchase, purchase_line, production,
    quality_control, quality_inspection, quality_alert, ir_note
to erp_cdc;
create publication lotgate for table
    party_party, company_employee,
    product_category, product_template, "product_template-product_category", product_product,
    product_uom, stock_location, stock_lot, stock_move,
    stock_shipment_in, stock_shipment_out, stock_shipment_internal,
    purchase_purchase, purchase_line, production,
    quality_control, quality_inspection, quality_alert, ir_note;
